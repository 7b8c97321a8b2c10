"""Sparse neural-network inference on CPUs: prune weights, plan layers, run them on NumPy arrays without copies.

>>> import numpy as np, lacuna
>>> filters = np.random.default_rng(1).normal(size=(64, 64, 3, 3)).astype(np.float32)
>>> weights = lacuna.prune(filters, "bcr_col-8x")
>>> conv = lacuna.Conv(weights, input=(56, 56), padding=1, activation="relu")
>>> y = conv(np.ones((1, 64, 56, 56), np.float32))
>>> y.shape
(1, 64, 56, 56)
"""

from ._library import (DataLossError, Error, InvalidArgumentError, NotFoundError, OutOfMemoryError, UnsupportedError,
                       library_version, target)
from .plans import Conv, Gemm, Gemv
from .recurrent import Gru, Lstm, Rnn
from .threads import ThreadPool
from .weights import Units, Weights, cover, from_buffer, load, map_file, prune, units

__version__ = library_version()
__all__ = [
    "Conv", "DataLossError", "Error", "Gemm", "Gemv", "Gru", "InvalidArgumentError", "Lstm", "NotFoundError",
    "OutOfMemoryError", "Rnn", "ThreadPool", "Units", "UnsupportedError", "Weights", "cover", "from_buffer",
    "library_version", "load", "map_file", "prune", "target", "units"
]
