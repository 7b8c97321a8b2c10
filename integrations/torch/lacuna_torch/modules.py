"""Modules that stand for those of torch.nn, with sparse weights. They infer only, and can be scripted and saved."""

from typing import Any, List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

# low and high of "clamp", slope of "leaky_relu"
NUMBERS = (0.0, 6.0, 0.01)


class _Layer(nn.Module):
    """Keeps its weights in a TorchScript object, which a state dict holds as tensors: sparse, and for any machine."""

    def get_extra_state(self) -> Any:
        return self.layer.state()

    def set_extra_state(self, state: Any) -> None:
        self.layer = self.of_state(*state)

    def stored(self) -> int:
        """Weights that are stored."""
        return self.layer.stored()


def _pads(conv: nn.modules.conv._ConvNd) -> list:
    """Begins, then ends."""
    if conv.padding == "valid":
        return [0] * (2 * len(conv.kernel_size))
    if conv.padding == "same":
        total = [d * (k - 1) for d, k in zip(conv.dilation, conv.kernel_size)]
        return [t // 2 for t in total] + [t - t // 2 for t in total]
    return [*conv.padding, *conv.padding]


class _Conv(_Layer):
    of_state = staticmethod(torch.ops.lacuna.conv_of)

    def __init__(self, conv: nn.modules.conv._ConvNd, scheme: str, prune: bool = True, activation: str = "none",
                 numbers: Sequence[float] = NUMBERS, winograd: bool = False):
        super().__init__()
        if conv.padding_mode != "zeros":
            raise ValueError(f'padding_mode is "{conv.padding_mode}", must be "zeros"')
        self.layer = torch.classes.lacuna.Conv(conv.weight, conv.bias, scheme, prune, list(conv.stride), _pads(conv),
                                               list(conv.dilation), conv.groups, activation, list(numbers), winograd)
        self.scheme = scheme
        self.description = (f"{conv.in_channels}, {conv.out_channels}, kernel_size={conv.kernel_size}, {scheme}, "
                            f"activation={activation}")

    def extra_repr(self) -> str:
        return self.description


class Conv2d(_Conv):
    """activation(conv(x) + bias + residual); channels_last tensors are taken and given as they are."""

    def forward(self, x: Tensor, residual: Optional[Tensor] = None) -> Tensor:
        if torch.jit.is_scripting():
            return torch.ops.lacuna.conv2d(x, self.layer, residual)
        else:  # methods are quicker to call, operators can be traced
            if torch.jit.is_tracing():
                return torch.ops.lacuna.conv2d(x, self.layer, residual)
            return self.layer.run(x, residual)


class Conv3d(_Conv):
    """The same with three spatial axes; channels_last_3d."""

    def forward(self, x: Tensor, residual: Optional[Tensor] = None) -> Tensor:
        if torch.jit.is_scripting():
            return torch.ops.lacuna.conv3d(x, self.layer, residual)
        else:  # methods are quicker to call, operators can be traced
            if torch.jit.is_tracing():
                return torch.ops.lacuna.conv3d(x, self.layer, residual)
            return self.layer.run(x, residual)


class Linear(_Layer):
    """activation(x W^T + bias)"""

    of_state = staticmethod(torch.ops.lacuna.linear_of)

    def __init__(self, linear: nn.Linear, scheme: str, prune: bool = True, activation: str = "none",
                 numbers: Sequence[float] = NUMBERS):
        super().__init__()
        self.layer = torch.classes.lacuna.Linear(linear.weight, linear.bias, scheme, prune, activation, list(numbers))
        self.description = f"{linear.in_features}, {linear.out_features}, {scheme}, activation={activation}"

    def forward(self, x: Tensor) -> Tensor:
        if torch.jit.is_scripting():
            return torch.ops.lacuna.linear(x, self.layer)
        else:  # methods are quicker to call, operators can be traced
            if torch.jit.is_tracing():
                return torch.ops.lacuna.linear(x, self.layer)
            return self.layer.run(x)

    def extra_repr(self) -> str:
        return self.description


class MaxPool2d(nn.Module):
    """torch.nn.MaxPool2d without dilation, ceil_mode and indices; quick on planar tensors, too."""

    def __init__(self, pool: nn.MaxPool2d):
        super().__init__()
        if not self.takes(pool):
            raise ValueError("dilation must be 1, ceil_mode and return_indices False")
        def pair(value):
            return [value, value] if isinstance(value, int) else list(value)
        self.kernel: List[int] = pair(pool.kernel_size)
        self.stride: List[int] = pair(pool.stride)
        self.padding: List[int] = pair(pool.padding)

    @staticmethod
    def takes(pool: nn.MaxPool2d) -> bool:
        return pool.dilation in (1, (1, 1)) and not pool.ceil_mode and not pool.return_indices

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.lacuna.max_pool2d(x, self.kernel, self.stride, self.padding)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel}, stride={self.stride}, padding={self.padding}"


class _GruLayer(_Layer):
    """One layer of a GRU, in one direction or both."""

    of_state = staticmethod(torch.ops.lacuna.gru_of)

    def __init__(self, gru: nn.GRU, index: int, scheme: str, prune: bool):
        super().__init__()
        suffixes = [f"_l{index}"] + ([f"_l{index}_reverse"] if gru.bidirectional else [])
        named = {name: [getattr(gru, name + suffix) for suffix in suffixes]
                 for name in ("weight_ih", "weight_hh") + (("bias_ih", "bias_hh") if gru.bias else ())}
        in_turn = [tensor for pair in zip(named["weight_ih"], named["weight_hh"]) for tensor in pair]
        biases = [tensor for pair in zip(named["bias_ih"], named["bias_hh"]) for tensor in pair] if gru.bias else []
        self.layer = torch.classes.lacuna.Gru(in_turn, biases, scheme, prune)

    def forward(self, x: Tensor, h: Tensor) -> Tuple[Tensor, Tensor]:
        if torch.jit.is_scripting():
            return torch.ops.lacuna.gru(x, h, self.layer)
        else:  # methods are quicker to call, operators can be traced
            if torch.jit.is_tracing():
                return torch.ops.lacuna.gru(x, h, self.layer)
            return self.layer.run(x, h)


class GRU(nn.Module):
    """torch.nn.GRU: any number of layers, one direction or both, batch_first or not. No packed sequences."""

    def __init__(self, gru: nn.GRU, scheme: str, prune: bool = True):
        super().__init__()
        if getattr(gru, "proj_size", 0):
            raise ValueError(f"proj_size is {gru.proj_size}, must be 0")
        self.layers = nn.ModuleList([_GruLayer(gru, i, scheme, prune) for i in range(gru.num_layers)])
        self.batch_first = gru.batch_first
        self.directions = 2 if gru.bidirectional else 1
        self.hidden_size = gru.hidden_size
        self.description = f"{gru.input_size}, {gru.hidden_size}, num_layers={gru.num_layers}, {scheme}"

    def forward(self, x: Tensor, h: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        batched = x.dim() == 3
        if not batched:
            x = x.unsqueeze(1)
        elif self.batch_first:
            x = x.transpose(0, 1)
        if h is None:
            h = torch.zeros([len(self.layers) * self.directions, x.size(1), self.hidden_size])
        elif not batched:
            h = h.unsqueeze(1)
        states = []
        for i, layer in enumerate(self.layers):
            x, state = layer(x, h[i * self.directions : (i + 1) * self.directions])
            states.append(state)
        last = torch.cat(states)
        if not batched:
            return x.squeeze(1), last.squeeze(1)
        return (x.transpose(0, 1) if self.batch_first else x), last

    def extra_repr(self) -> str:
        return self.description
