#!/usr/bin/python3
"""Weights of the digits networks as floats one after the other, and what they are: pack_digits.py FOLDER BIN JSON"""

import json
import pathlib
import sys

import numpy as np
import onnx
from onnx import numpy_helper

SCHEMES = ("dense", "bcr_col-8x", "pattern-8x", "punched-8x", "unstructured-8x")
ORDER = [f"conv{i}.{part}" for i in range(1, 6) for part in ("weight", "bias")] + ["fc.weight", "fc.bias"]


def main():
    folder, binary, index = sys.argv[1:]
    parts, networks, at = [], [], 0
    for scheme in SCHEMES:
        model = onnx.load(str(pathlib.Path(folder) / f"digits_{scheme}.onnx"))
        values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        flat = np.concatenate([values[name].ravel() for name in ORDER]).astype("<f4")
        networks.append({"scheme": scheme, "offset": at, "count": int(flat.size)})
        parts.append(flat)
        at += int(flat.size)
    pathlib.Path(binary).write_bytes(np.concatenate(parts).tobytes())
    pathlib.Path(index).write_text(json.dumps(networks) + "\n")


if __name__ == "__main__":
    main()
