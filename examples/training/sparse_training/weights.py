"""Weights of PyTorch modules and the schemes that they are pruned by."""

from __future__ import annotations

from typing import Dict, List, Optional

import lacuna
import numpy as np
import torch
from torch import Tensor, nn

# Where the gates of ONNX, whose order the library's blocks of rows follow, stand among those of PyTorch.
_GATES = {nn.GRU: (1, 0, 2), nn.LSTM: (0, 3, 1, 2), nn.RNN: (0,)}
_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class SparseWeight:
    """A parameter, and a scheme of the library, "bcr_col-8x", that it is pruned by."""

    def __init__(self, layer: str, name: str, parameter: nn.Parameter, scheme: str, groups: int = 1, gates=(0,)):
        self.layer = layer
        self.name = name
        self.parameter = parameter
        self.groups = groups
        self.kind, separator, rate = scheme.rpartition("-")
        if not separator or not rate.endswith("x"):
            raise ValueError(f'{layer}: scheme is "{scheme}", must be a scheme and a rate, as "bcr_col-8x"')
        self.rate = float(rate[:-1])
        rows = torch.arange(parameter.shape[0]).view(len(gates), -1)
        self._order = rows[list(gates)].flatten()
        self._back = torch.argsort(self._order)
        self.units = lacuna.units(tuple(parameter.shape), scheme, groups)  # refuses what the scheme cannot prune

    @property
    def scheme(self) -> str:
        return self.scheme_at(self.rate)

    def scheme_at(self, rate: float) -> str:
        return f"{self.kind}-{rate:.9g}x"

    def project(self, values: Optional[Tensor] = None, rate: Optional[float] = None) -> Tensor:
        """`values`, the weight's own if none, pruned to the nearest member of the scheme."""
        values = self.parameter.detach() if values is None else values
        return torch.where(self.mask(values, rate), values, torch.zeros(()))

    def mask(self, values: Optional[Tensor] = None, rate: Optional[float] = None) -> Tensor:
        """True where the scheme keeps a weight when it judges by `values`, any saliency in place of the weights."""
        values = self.parameter.detach() if values is None else values
        ordered = values[self._order].numpy().astype(np.float32)
        ordered[ordered == 0] = 1e-18  # what is stored is told from what is not, be it zero
        kept = lacuna.prune(ordered, self.scheme_at(rate or self.rate), self.groups).to_dense()
        return torch.from_numpy(kept.reshape(ordered.shape) != 0)[self._back]

    def unit_numbers(self) -> Tensor:
        """The unit that each weight belongs to: what the scheme removes together."""
        numbers = self.units.numbers(tuple(self.parameter.shape), self.groups)
        return torch.from_numpy(numbers)[self._back]

    def row_numbers(self) -> Tensor:
        """The same for rows of blocks, of schemes that remove those, too."""
        rows, columns = self.parameter.shape[0], self.parameter[0].numel()
        blocks = torch.arange(columns) // self.units.block[1]
        numbers = torch.arange(rows).unsqueeze(1) * (int(blocks.max()) + 1) + blocks
        return numbers.view(self.parameter.shape)[self._back]


def weights_of(model: nn.Module, schemes: Dict[str, str]) -> List[SparseWeight]:
    """The weights of the modules named, each with its scheme: convolutions, Linear, RNN, GRU, LSTM (all matrices)."""
    modules = dict(model.named_modules())
    weights = []
    for layer, scheme in schemes.items():
        if layer not in modules:
            raise ValueError(f'the model has no module "{layer}"')
        module = modules[layer]
        if isinstance(module, _CONVS):
            weights.append(SparseWeight(layer, "weight", module.weight, scheme, module.groups))
        elif isinstance(module, nn.Linear):
            weights.append(SparseWeight(layer, "weight", module.weight, scheme))
        elif type(module) in _GATES:
            weights += [SparseWeight(layer, name, parameter, scheme, gates=_GATES[type(module)])
                        for name, parameter in module.named_parameters() if name.startswith("weight_")]
        else:
            raise ValueError(f'"{layer}" is a {type(module).__name__}, must be a convolution, Linear, RNN, GRU or LSTM')
    return weights
