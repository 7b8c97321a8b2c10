"""Prints, for CMake: the ABI of PyTorch's strings, the folder of its libraries, those of its headers."""
import os

import torch
from torch.utils import cpp_extension

folders = [folder for folder in cpp_extension.include_paths() if os.path.exists(folder)]
print(";".join([str(int(torch._C._GLIBCXX_USE_CXX11_ABI)), cpp_extension.library_paths()[0], *folders]))
