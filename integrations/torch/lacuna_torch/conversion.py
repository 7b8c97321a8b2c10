"""convert: the layers of a model, replaced by sparse ones."""

from __future__ import annotations

import copy
import operator
from typing import Any, Callable, Dict, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .modules import GRU, NUMBERS, Conv2d, Conv3d, Linear, MaxPool2d

_CONVS = {nn.Conv2d: Conv2d, nn.Conv3d: Conv3d}
_NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)
_ADDITIONS = (operator.add, operator.iadd, torch.add)

# What a module or function computes that a layer can compute itself: its name, and low, high, slope.
_MODULES: Dict[type, Callable[[Any], Tuple[str, Tuple[float, float, float]]]] = {
    nn.ReLU: lambda m: ("relu", NUMBERS),
    nn.ReLU6: lambda m: ("clamp", NUMBERS),
    nn.LeakyReLU: lambda m: ("leaky_relu", (0.0, 6.0, m.negative_slope)),
    nn.Sigmoid: lambda m: ("sigmoid", NUMBERS),
    nn.Tanh: lambda m: ("tanh", NUMBERS),
    nn.SiLU: lambda m: ("silu", NUMBERS),
    nn.Hardswish: lambda m: ("hard_swish", NUMBERS),
}
_FUNCTIONS = {torch.relu: "relu", F.relu: "relu", F.relu6: "clamp", torch.sigmoid: "sigmoid", torch.tanh: "tanh",
              F.silu: "silu", F.hardswish: "hard_swish"}
_METHODS = {"relu": "relu", "relu_": "relu", "sigmoid": "sigmoid", "tanh": "tanh"}


def convert(model: nn.Module, scheme: str, *, prune: bool = True, example: Optional[Tensor] = None,
            keep: Callable[[str, nn.Module], bool] = lambda name, module: False, first: bool = False,
            fuse: bool = True, winograd: bool = False) -> nn.Module:
    """A copy of `model` for inference, whose Conv2d, Conv3d, Linear and GRU modules have sparse weights.

    MaxPool2d modules are replaced, too: PyTorch takes longer for one on planar tensors than a sparse network for a layer.

    scheme    "bcr_col-8x", "pattern-4x", "dense", ...
    prune     True: weights are pruned by the scheme (what it has pruned before stays as it is). False: no weight is
              lost; zeros that the scheme left are not stored.
    example   an input. With it, additions of tensors of equal shapes become part of the layer before them.
    keep      keep(name, module) says which modules to leave to PyTorch.
    first     whether the first convolution is pruned, too; else it is dense, like depthwise ones, which have no
              neighbours to be pruned with.
    fuse      True: batch normalisation and activations become part of the layers before them, where torch.fx can trace
              the model. False: modules are swapped and nothing else changes.
    winograd  whether dense convolutions may take a Winograd form.
    """
    result = copy.deepcopy(model).eval()
    if fuse:
        try:
            result = fx.symbolic_trace(result)
        except Exception:  # control flow that depends on data: torch.fx gives no common type
            fuse = False
    conversion = _Conversion(result, scheme, prune, keep, first, winograd)
    if fuse:
        _fold_norms(result)
        if example is not None:
            with torch.no_grad():
                ShapeProp(result).propagate(example)
        conversion.fuse()
    conversion.swap()
    if fuse:
        result.graph.lint()
        result.delete_all_unused_submodules()
        result.recompile()
    return result


def _module_of(model: fx.GraphModule, node: Any) -> Optional[nn.Module]:
    if not isinstance(node, fx.Node) or node.op != "call_module":
        return None
    return model.get_submodule(node.target)


def _fold_norms(model: fx.GraphModule) -> None:
    """Batch normalisation into the convolution before it, where nothing else reads that one's output."""
    for node in list(model.graph.nodes):
        norm = _module_of(model, node)
        if not isinstance(norm, _NORMS):
            continue
        before = node.args[0]
        conv = _module_of(model, before)
        calls = [n for n in model.graph.nodes if n.op == "call_module" and n.target == getattr(before, "target", None)]
        if type(conv) not in _CONVS or len(before.users) != 1 or len(calls) != 1 or norm.running_mean is None:
            continue
        _set_module(model, before.target, fuse_conv_bn_eval(conv, norm))
        node.replace_all_uses_with(before)
        model.graph.erase_node(node)


def _set_module(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)


class _Conversion:
    """What is known of the layers of one model."""

    def __init__(self, model: nn.Module, scheme: str, prune: bool, keep: Callable[[str, nn.Module], bool], first: bool,
                 winograd: bool):
        self.model, self.scheme, self.prune, self.winograd = model, scheme, prune, winograd
        self.epilogues: Dict[str, Tuple[str, Tuple[float, float, float]]] = {}
        convs = [name for name, module in model.named_modules() if type(module) in _CONVS]
        self.first = None if first or not convs else convs[0]
        # torch.fx keeps names, so these are names before and after tracing.
        self.kept = {name for name, module in model.named_modules() if keep(name, module)}

    def converts(self, name: str, module: Optional[nn.Module]) -> bool:
        if name in self.kept or module is None:
            return False
        if type(module) in _CONVS:
            return module.padding_mode == "zeros"
        return type(module) is nn.Linear or (type(module) is nn.GRU and not getattr(module, "proj_size", 0))

    def fuse(self) -> None:
        """Additions and activations behind layers that are called once."""
        graph = self.model.graph
        order = {node: i for i, node in enumerate(graph.nodes)}
        calls: Dict[str, int] = {}
        for node in graph.nodes:
            if node.op == "call_module":
                calls[node.target] = calls.get(node.target, 0) + 1
        layers = [node for node in graph.nodes if node.op == "call_module" and calls[node.target] == 1
                  and self.converts(node.target, _module_of(self.model, node))
                  and type(_module_of(self.model, node)) is not nn.GRU]
        for node in sorted(layers, key=order.__getitem__, reverse=True):
            self._fuse_addition(node)
            self._fuse_activation(node)

    def _fuse_addition(self, node: fx.Node) -> None:
        user = self._only_user(node)
        if (type(_module_of(self.model, node)) not in _CONVS or user is None or user.op != "call_function"
                or user.target not in _ADDITIONS or len(user.args) != 2 or user.kwargs):
            return
        other = user.args[1] if user.args[0] is node else user.args[0]
        shapes = [getattr(n, "meta", {}).get("tensor_meta") for n in (node, other)]
        if other is node or None in shapes or shapes[0].shape != shapes[1].shape:
            return
        # The layer now runs where the addition was, behind both its operands.
        user.prepend(node)
        node.args = (node.args[0], other)
        user.replace_all_uses_with(node)
        self.model.graph.erase_node(user)

    def _fuse_activation(self, node: fx.Node) -> None:
        user = self._only_user(node)
        if user is None:
            return
        found = None
        module = _module_of(self.model, user)
        if type(module) in _MODULES:
            found = _MODULES[type(module)](module)
        elif user.op == "call_function" and user.target in _FUNCTIONS:
            found = (_FUNCTIONS[user.target], NUMBERS)
        elif user.op == "call_method" and user.target in _METHODS:
            found = (_METHODS[user.target], NUMBERS)
        if found is None:
            return
        self.epilogues[node.target] = found
        user.replace_all_uses_with(node)
        self.model.graph.erase_node(user)

    @staticmethod
    def _only_user(node: fx.Node) -> Optional[fx.Node]:
        return next(iter(node.users)) if len(node.users) == 1 else None

    def swap(self) -> None:
        """The modules themselves."""
        for name, module in list(self.model.named_modules()):
            if type(module) is nn.MaxPool2d and name not in self.kept and name != "" and MaxPool2d.takes(module):
                _set_module(self.model, name, MaxPool2d(module))
            if not self.converts(name, module) or name == "":
                continue
            activation, numbers = self.epilogues.get(name, ("none", NUMBERS))
            if type(module) in _CONVS:
                depthwise = module.groups > 1 and module.groups == module.in_channels
                scheme = "dense" if name == self.first or depthwise else self.scheme
                _set_module(self.model, name, _CONVS[type(module)](module, scheme, self.prune, activation, numbers,
                                                                   self.winograd))
            elif type(module) is nn.Linear:
                _set_module(self.model, name, Linear(module, self.scheme, self.prune, activation, numbers))
            else:
                _set_module(self.model, name, GRU(module, self.scheme, self.prune))
