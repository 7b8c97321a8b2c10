"""ONNX files that say which scheme each weight was pruned by, as lacuna-prune writes them."""

from __future__ import annotations

import copy
import io
import json
import os
import warnings
from typing import Any, Dict, Union

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from .masks import Masks
from .weights import SparseWeight

# Which inputs of an operator hold weights, and for recurrent ones the parameters of PyTorch that they are.
_INPUTS = {"Conv": {1: "weight"}, "Gemm": {1: "weight"}, "MatMul": {1: "weight"},
           "GRU": {1: "weight_ih_l", 2: "weight_hh_l"}, "LSTM": {1: "weight_ih_l", 2: "weight_hh_l"},
           "RNN": {1: "weight_ih_l", 2: "weight_hh_l"}}


def _nodes_of(model: onnx.ModelProto, layer: str) -> list:
    """The nodes that a module became: PyTorch names them by the path of the module."""
    scope = "/" + layer.replace(".", "/") + "/"
    return [node for node in model.graph.node if node.op_type in _INPUTS and node.name.startswith(scope)]


def _taps(weight: SparseWeight) -> int:
    return int(np.prod(weight.parameter.shape[2:]))


def export_onnx(model: nn.Module, masks: Masks, example: Any, path: Union[str, "os.PathLike[str]"],
                **options: Any) -> onnx.ModelProto:
    """Writes `model` in inference mode, with the zeros of `masks` and an entry "lacuna.scheme/<initializer>" for each
    weight, which lacuna-run --scheme stored reads. `options` go to torch.onnx.export. Batch normalisation is folded into
    the convolutions before it, which keeps zeros."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch about its own shape inference
        torch.onnx.export(copy.deepcopy(model).eval(), example, file, **{"opset_version": 13, **options})
    exported = onnx.load_from_string(file.getvalue())
    initializers = {tensor.name: tensor for tensor in exported.graph.initializer}
    kept: Dict[str, int] = {}
    schemes: Dict[str, SparseWeight] = {}
    for weight, mask in masks.kept:
        nodes = _nodes_of(exported, weight.layer)
        if not nodes:
            raise ValueError(f'no node of the exported model is named by the module "{weight.layer}"')
        recurrent = nodes[0].op_type in ("GRU", "LSTM", "RNN")
        layer_index = int(weight.name.rpartition("_l")[2].replace("_reverse", "")) if recurrent else 0
        node = nodes[layer_index]
        for index, parameter in _INPUTS[node.op_type].items():
            if weight.name.startswith(parameter):
                name = node.input[index]
                kept[name] = kept.get(name, 0) + int(mask.sum())
                schemes[name] = weight
    for name, weight in schemes.items():
        if name not in initializers:
            raise ValueError(f'the weights of "{weight.layer}" are no initializer of the exported model')
        values = numpy_helper.to_array(initializers[name]) + np.float32(0)  # a negative scale leaves -0
        if np.count_nonzero(values) > kept[name]:
            raise RuntimeError(f'"{weight.layer}": {np.count_nonzero(values)} weights of the exported model are not '
                               f"zero, {kept[name]} were kept")
        initializers[name].CopyFrom(numpy_helper.from_array(values, name))
        entry = exported.metadata_props.add()
        entry.key = f"lacuna.scheme/{name}"
        entry.value = json.dumps({"scheme": weight.scheme, "taps": _taps(weight)}, separators=(",", ":"))
    onnx.checker.check_model(exported)
    onnx.save(exported, os.fspath(path))
    return exported
