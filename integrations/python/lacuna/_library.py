"""The shared library, its errors, and NumPy arrays as its tensors."""

from __future__ import annotations

import os
import threading
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from ._cffi import ffi

Array = npt.NDArray[np.float32]

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def _open() -> Any:
    """The library beside this file, or the one of the system; LACUNA_LIBRARY names another."""
    own = os.path.join(_FOLDER, "_lacuna.so")
    path = os.environ.get("LACUNA_LIBRARY") or (own if os.path.exists(own) else "liblacuna.so")
    library = ffi.dlopen(path)
    if library.lacuna_c_abi() != library.LACUNA_C_ABI:
        raise ImportError(f"{path} has version {library.lacuna_c_abi()} of the C interface, "
                          f"this package needs {library.LACUNA_C_ABI}")
    return library


lib = _open()


class Error(Exception):
    """What lacuna refuses: the message names the argument, its value and the limit."""


class InvalidArgumentError(Error, ValueError):
    """An argument breaks a documented limit."""


class UnsupportedError(Error, NotImplementedError):
    """A valid request that this build or SIMD target cannot serve."""


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed."""


class DataLossError(Error, OSError):
    """A file or blob is damaged or truncated."""


class NotFoundError(Error, FileNotFoundError):
    """A file or name does not exist."""


for _error in (Error, InvalidArgumentError, UnsupportedError, OutOfMemoryError, DataLossError, NotFoundError):
    _error.__module__ = "lacuna"  # as users know them

_ERRORS = {
    lib.LACUNA_INVALID_ARGUMENT: InvalidArgumentError,
    lib.LACUNA_UNSUPPORTED: UnsupportedError,
    lib.LACUNA_OUT_OF_MEMORY: OutOfMemoryError,
    lib.LACUNA_DATA_LOSS: DataLossError,
    lib.LACUNA_NOT_FOUND: NotFoundError,
}


def check(status: int) -> None:
    """Raises the error of a call that failed."""
    if status:
        raise _ERRORS.get(status, Error)(ffi.string(lib.lacuna_last_error()).decode())


def new(kind: str, **fields: Any) -> Any:
    """A struct of zeros but for its size and `fields`."""
    struct = ffi.new(f"{kind} *")
    struct.struct_size = ffi.sizeof(kind)
    for name, value in fields.items():
        setattr(struct, name, value)
    return struct


def explain(function: Any, plan: Any) -> str:
    """The text of an explain function."""
    size = function(plan, ffi.NULL, 0) + 1
    text = ffi.new("char[]", size)
    function(plan, text, size)
    return ffi.string(text).decode()


def float_values(name: str, values: Optional[npt.ArrayLike]) -> tuple[Any, int, Any]:
    """A pointer, a count, and what must be kept meanwhile; of None no values."""
    if values is None:
        return ffi.NULL, 0, None
    array = np.ascontiguousarray(values, dtype=np.float32)
    return ffi.cast("float *", array.ctypes.data), array.size, array


def require(name: str, array: Any, rank: Optional[int] = None, writable: bool = False) -> Array:
    """`array`, if it is an array of float32 with that many axes whose strides are whole elements: nothing is copied or
    converted behind the caller's back."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is of type {type(array).__name__}, must be a NumPy array")
    if array.dtype != np.float32:
        raise TypeError(f"{name} has dtype {array.dtype}, must be float32")
    if rank is not None and array.ndim != rank:
        raise InvalidArgumentError(f"{name} has {array.ndim} axes, must have {rank}")
    for stride in array.strides:
        if stride % 4:
            raise InvalidArgumentError(f"{name} has strides of {array.strides} bytes, must be multiples of 4")
    if writable and not array.flags.writeable:
        raise InvalidArgumentError(f"{name} is read-only, must be writable")
    return array


# Names of types are slow to look up.
_FLOATS = ffi.typeof("float *")
_TENSOR = ffi.typeof("lacuna_tensor *")
_TENSOR_SIZE = ffi.sizeof("lacuna_tensor")
_RUN_ARGS = ffi.typeof("lacuna_run_args *")
_RUN_ARGS_SIZE = ffi.sizeof("lacuna_run_args")
FLOAT_ARRAY = ffi.typeof("float[]")
FLOAT32 = np.dtype(np.float32)
from_buffer = ffi.from_buffer


def address(array: Array) -> Any:
    """Where the first element of an array is, whatever its strides."""
    return ffi.cast(_FLOATS, array.__array_interface__["data"][0])


def tensor(array: Array) -> Any:
    """The view of an array that `require` has seen."""
    return ffi.new(_TENSOR, (_TENSOR_SIZE, address(array), array.ndim, array.shape, [stride // 4 for stride in array.strides]))


def run_args(executor: Any, residual: Any, size: int) -> Any:
    """lacuna_run_args but for the workspace itself."""
    return ffi.new(_RUN_ARGS, (_RUN_ARGS_SIZE, ffi.NULL, size, executor, ffi.NULL if residual is None else residual))


class _PerThread(threading.local):
    """The memory that runs of a thread use one after the other."""

    size = 0
    pointer = ffi.NULL
    memory: npt.NDArray[np.uint8]


_per_thread = _PerThread()


def workspace(size: int) -> Any:
    """A pointer to at least that many bytes, the calling thread's own."""
    if _per_thread.size < size:
        _per_thread.memory = np.empty(size, np.uint8)
        _per_thread.pointer = ffi.cast("void *", _per_thread.memory.ctypes.data)
        _per_thread.size = size
    return _per_thread.pointer


def library_version() -> str:
    """Of the library that is loaded, "major.minor.patch"."""
    return ffi.string(lib.lacuna_version()).decode()


def target() -> str:
    """The SIMD target that plans made now are bound to: "AVX3", "NEON", ..."""
    return ffi.string(lib.lacuna_target()).decode()
