"""Weights: pruned, recognised, packed, stored."""

from __future__ import annotations

import mmap
import os
from typing import Any, NamedTuple, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from ._library import Array, InvalidArgumentError, check, ffi, lib, new, require

Path = Union[str, "os.PathLike[str]"]


class Weights:
    """Weights in a format (dense, CSR, BCR, block, pattern), or packed for the SIMD target; immutable.

    Made by prune, cover, load, map_file and from_buffer. `kernel` are the extents of the convolution kernels that the
    weights are of: () for a matrix.
    """

    def __init__(self, handle: Any, kernel: tuple[int, ...] = (), memory: Any = None):
        self._handle = ffi.gc(handle, lib.lacuna_weights_destroy)
        self._memory = memory  # what the weights lie in, if not their own
        self._info = new("lacuna_weights_info")
        check(lib.lacuna_weights_describe(self._handle, self._info))
        self.kernel = kernel

    @property
    def format(self) -> str:
        """"dense", "csr", "bcr", "block", "pattern" or "packed"."""
        return ffi.string(self._info.format).decode()

    @property
    def target(self) -> str:
        """The SIMD target of packed weights, else ""."""
        return ffi.string(self._info.target).decode()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns: M x K, of a convolution OC x (IC / groups * cells of a kernel)."""
        return self._info.rows, self._info.columns

    @property
    def groups(self) -> int:
        """Groups of rows that have inputs of their own."""
        return self._info.groups

    @property
    def nnz(self) -> int:
        """Weights that are stored."""
        return self._info.nnz

    @property
    def nbytes(self) -> int:
        """Bytes of storage."""
        return self._info.bytes

    def to_dense(self) -> Array:
        """All weights with their zeros, [rows, columns]; not of packed weights."""
        dense = np.empty(self.shape, np.float32)
        check(lib.lacuna_weights_to_dense(self._handle, ffi.cast("float *", dense.ctypes.data), dense.size))
        return dense

    def pack(self) -> Weights:
        """Packed for any layer and matrix product, to be shared by several plans or saved."""
        handle = ffi.new("lacuna_weights **")
        check(lib.lacuna_pack(self._handle, ffi.NULL, ffi.NULL, handle))
        return Weights(handle[0], self.kernel)

    def to_blob(self) -> npt.NDArray[np.uint8]:
        """The bytes that save writes, at an address that from_buffer takes."""
        size = lib.lacuna_weights_blob_bytes(self._handle)
        memory = np.empty(size + 63, np.uint8)
        begin = -memory.ctypes.data % 64
        blob = memory[begin : begin + size]
        check(lib.lacuna_weights_write(self._handle, ffi.from_buffer(blob, require_writable=True), size))
        return blob

    def save(self, path: Path) -> None:
        """Writes a blob to a file: of a format for any machine, packed for one SIMD target. `kernel` is not in it."""
        check(lib.lacuna_weights_save(self._handle, os.fsencode(path)))

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"<lacuna.Weights {self.format} {rows} x {columns}, {self.nnz} stored>"


def _matrix(shape: Sequence[int], groups: int) -> Any:
    """The struct of weights [M, K] or [OC, IC / groups, kernel axes...]."""
    if len(shape) < 2:
        raise InvalidArgumentError(f"weights has {len(shape)} axes, must have at least 2")
    taps = int(np.prod(shape[2:]))
    return new("lacuna_matrix", rows=shape[0], columns=shape[1] * taps, groups=groups, taps=taps)


def _by_scheme(function: Any, weights: Array, scheme: str, groups: int) -> Weights:
    dense = np.ascontiguousarray(require("weights", weights))
    matrix = _matrix(dense.shape, groups)
    handle = ffi.new("lacuna_weights **")
    check(function(ffi.cast("float *", dense.ctypes.data), matrix, scheme.encode(), handle))
    return Weights(handle[0], dense.shape[2:])


def prune(weights: Array, scheme: str, groups: int = 1) -> Weights:
    """`weights` [M, K] or [OC, IC / groups, kernel axes...] pruned to the nearest member of a scheme.

    >>> import numpy as np, lacuna
    >>> filters = np.random.default_rng(1).normal(size=(64, 32, 3, 3)).astype(np.float32)
    >>> weights = lacuna.prune(filters, "bcr_col-8x")
    >>> weights
    <lacuna.Weights bcr 64 x 288, 2304 stored>
    >>> lacuna.prune(filters, "bcr_row-8x")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    lacuna.InvalidArgumentError: scheme is "bcr_row", must be one of dense, unstructured, pattern, ...
    """
    return _by_scheme(lib.lacuna_prune, weights, scheme, groups)


def cover(weights: Array, scheme: str, groups: int = 1) -> Weights:
    """The smallest cover of weights that were pruned by `scheme`, at whatever rate, before: the format of the scheme.

    >>> import numpy as np, lacuna
    >>> pruned = lacuna.prune(np.arange(1, 257, dtype=np.float32).reshape(8, 32), "bcr_col-4x")
    >>> lacuna.cover(pruned.to_dense(), "bcr_col-4x").nnz == pruned.nnz
    True
    """
    return _by_scheme(lib.lacuna_cover, weights, scheme, groups)


class Units(NamedTuple):
    """Which weights a scheme removes together, for saliencies and regularisers of one's own.

    The M x K matrix is cut into blocks, clipped at its edges; the weight at (row, column) of a block belongs to its unit
    column // run % cycle.
    """

    block: tuple[int, int]
    run: int
    cycle: int
    cells: int  # that a pattern leaves in a kernel, before kernels go; 0 of schemes without patterns
    rows: bool  # rows of a block go, too
    every_block: bool  # every block keeps as many units as the others, else units of all blocks compete

    def numbers(self, shape: Sequence[int], groups: int = 1) -> npt.NDArray[np.int64]:
        """The unit of each weight of [M, K] or [OC, IC / groups, kernel axes...], numbered from 0 through all blocks."""
        row = np.arange(shape[0])[:, np.newaxis]
        column = np.arange(int(np.prod(shape[1:])))
        in_group = shape[0] // groups
        strip = row // in_group * -(-in_group // self.block[0]) + row % in_group // self.block[0]
        block = strip * -(-column.size // self.block[1]) + column // self.block[1]
        unit = block * self.block[1] + column % self.block[1] // self.run % self.cycle
        return np.unique(unit, return_inverse=True)[1].reshape(shape)


def units(shape: Sequence[int], scheme: str, groups: int = 1) -> Units:
    """What `scheme` removes together of weights [M, K] or [OC, IC / groups, kernel axes...].

    >>> import lacuna
    >>> of = lacuna.units((16, 8, 3, 3), "block_8x1-4x")
    >>> of.block, of.every_block, int(of.numbers((16, 8, 3, 3)).max()) + 1
    ((8, 1), False, 144)
    """
    struct = new("lacuna_units")
    check(lib.lacuna_scheme_units(_matrix(shape, groups), scheme.encode(), struct))
    return Units((struct.block_rows, struct.block_columns), struct.run, struct.cycle, struct.cells, bool(struct.rows),
                 bool(struct.every_block))


def load(path: Path, kernel: tuple[int, ...] = ()) -> Weights:
    """The weights of a file that Weights.save wrote."""
    handle = ffi.new("lacuna_weights **")
    check(lib.lacuna_weights_load(os.fsencode(path), handle))
    return Weights(handle[0], kernel)


def from_buffer(blob: Any, kernel: tuple[int, ...] = ()) -> Weights:
    """The weights of a blob in memory, used where they are: any buffer that begins at a multiple of 64. It must not be
    changed as long as there are weights or plans of it."""
    memory = ffi.from_buffer(blob)
    handle = ffi.new("lacuna_weights **")
    check(lib.lacuna_weights_view(memory, len(memory), handle))
    return Weights(handle[0], kernel, memory)


def map_file(path: Path, kernel: tuple[int, ...] = ()) -> Weights:
    """The weights of a file, mapped: read when they are needed, and shared between processes."""
    with open(path, "rb") as file:
        return from_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), kernel)
