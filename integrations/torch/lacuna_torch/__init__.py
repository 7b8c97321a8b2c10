"""Sparse layers for PyTorch: torch.ops.lacuna.{conv2d, conv3d, linear, gru, max_pool2d}, and convert, which puts them into a model.

>>> import torch, lacuna_torch
>>> _ = torch.manual_seed(1)
>>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Conv2d(16, 64, 3)).eval()
>>> sparse = lacuna_torch.convert(model, "bcr_col-4x")
>>> with torch.no_grad():
...     sparse(torch.ones(1, 3, 20, 20)).shape
torch.Size([1, 64, 16, 16])
"""

import os

import torch

torch.ops.load_library(os.environ.get("LACUNA_TORCH_LIBRARY",
                                      os.path.join(os.path.dirname(os.path.abspath(__file__)), "_lacuna_torch.so")))

# The modules use the classes of the library.
from .conversion import convert  # noqa: E402
from .modules import GRU, Conv2d, Conv3d, Linear, MaxPool2d  # noqa: E402

__all__ = ["Conv2d", "Conv3d", "GRU", "Linear", "MaxPool2d", "convert"]
