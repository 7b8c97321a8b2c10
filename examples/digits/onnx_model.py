"""ONNX models on disk: checked when they are read and written, pruned weights as the zeros of their initializers."""

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

WEIGHT_INPUTS = {"Conv": (1,), "Gemm": (1,), "GRU": (1, 2)}  # which inputs of an operator hold weights


def load(path):
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise ValueError(f"{path}: not a valid ONNX model: {error}") from error
    return model


def save(model, path):
    onnx.checker.check_model(model)
    onnx.save(model, path)


def values(model):
    """Copies of all initializers by name."""
    return {tensor.name: numpy_helper.to_array(tensor).copy() for tensor in model.graph.initializer}


def masks(model):
    """Of each weight initializer that holds zeros, 1 where it holds none: the weights that a scheme kept."""
    weights = {node.input[i] for node in model.graph.node for i in WEIGHT_INPUTS.get(node.op_type, ())}
    return {name: (value != 0).astype(np.float32) for name, value in values(model).items()
            if name in weights and (value == 0).any()}


def store(model, new_values):
    """Replaces the initializers named; a pruned weight that is not zero any more is an error."""
    kept = masks(model)
    for tensor in model.graph.initializer:
        if tensor.name not in new_values:
            continue
        value = new_values[tensor.name]
        if tensor.name in kept and (value[kept[tensor.name] == 0] != 0).any():
            raise RuntimeError(f"initializer '{tensor.name}': a pruned weight came back")
        value = value + 0.0  # a negative scale leaves -0.0 where a weight was pruned
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
