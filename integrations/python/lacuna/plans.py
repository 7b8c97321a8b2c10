"""Plans: convolutions, matrix products, products with vectors."""

from __future__ import annotations

import threading
from typing import Any, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from ._library import (FLOAT32, FLOAT_ARRAY, Array, InvalidArgumentError, address, check, explain, ffi, float_values,
                       from_buffer, lib, new, require, run_args, tensor, workspace)
from .threads import ThreadPool, executor_of
from .weights import Weights

Axes = Union[int, Sequence[int]]

_ACTIVATIONS = {
    "none": lib.LACUNA_NONE,
    "relu": lib.LACUNA_RELU,
    "clamp": lib.LACUNA_CLAMP,
    "leaky_relu": lib.LACUNA_LEAKY_RELU,
    "sigmoid": lib.LACUNA_SIGMOID,
    "tanh": lib.LACUNA_TANH,
    "silu": lib.LACUNA_SILU,
    "hard_swish": lib.LACUNA_HARD_SWISH,
}


class Bound:
    """A run whose arrays are given: call it as often as their contents change. Not from two threads at once."""

    def __init__(self, plan: Any, run: Any, tensors: tuple[Any, ...], args: Any, size: int, keep: Any, result: Any):
        self._run = run
        self._call = (plan, *tensors, args)
        self._args = args
        self._size = size
        self._keep = keep  # what the structs point to
        self._result = result

    def __call__(self) -> Any:
        self._args.workspace = workspace(self._size)
        status = self._run(*self._call)
        if status:
            check(status)
        return self._result

    def without_arrays(self) -> Bound:
        """Itself, keeping neither arrays nor plan: for the plan, which calls `on`."""
        self._keep = self._result = None
        return self

    def on(self, x: Array, out: Array) -> Array:
        """The same run on other arrays of float32 of the same extents and strides."""
        _, x_view, out_view, args = self._call
        try:
            x_view.data = from_buffer(FLOAT_ARRAY, x)
            out_view.data = from_buffer(FLOAT_ARRAY, out, True)
        except (ValueError, BufferError):  # gaps in memory, or an array that must not be written to
            x_view.data = address(x)
            out_view.data = address(require("out", out, writable=True))
        args.workspace = workspace(self._size)
        status = self._run(*self._call)
        if status:
            check(status)
        return out


class _Frames(threading.local):
    """Runs of a plan that the calling thread made, by extents and strides of x and out."""

    def __init__(self) -> None:
        self.by_layout: dict[Any, Bound] = {}


_MOST_FRAMES = 16


def epilogue_of(bias: Optional[npt.ArrayLike], activation: str, low: float, high: float, slope: float,
                residual: bool) -> tuple[Any, Any]:
    """The struct, and what must be kept as long as it is used."""
    if activation not in _ACTIVATIONS:
        raise InvalidArgumentError(f'activation is "{activation}", must be one of {", ".join(_ACTIVATIONS)}')
    pointer, count, keep = float_values("bias", bias)
    return new("lacuna_epilogue", activation=_ACTIVATIONS[activation], residual=residual, low=low, high=high,
               slope=slope, bias=pointer, bias_count=count), keep


class _Plan:
    """What the plans of one output array have in common."""

    _handle: Any
    _residual: bool
    _frames: _Frames

    def _output_of(self, x: Array) -> Array:
        raise NotImplementedError

    def bind(self, x: Array, out: Optional[Array] = None, residual: Optional[Array] = None,
             threads: Optional[ThreadPool] = None) -> Bound:
        """The run on these arrays, to be called repeatedly: without what Python needs to look at arrays."""
        raise NotImplementedError

    def __call__(self, x: Array, out: Optional[Array] = None, residual: Optional[Array] = None,
                 threads: Optional[ThreadPool] = None) -> Array:
        # Views are made once for each layout: looking at an array takes Python longer than a small layer.
        if type(x) is not np.ndarray or x.dtype is not FLOAT32 or residual is not None or threads is not None:
            return self.bind(x, out, residual, threads)()
        if out is None:
            out = self._output_of(x)
        elif type(out) is not np.ndarray or out.dtype is not FLOAT32:
            return self.bind(x, out)()
        frames = self._frames.by_layout
        key = (x.shape, x.strides, out.shape, out.strides)
        frame = frames.get(key)
        if frame is None:
            if len(frames) >= _MOST_FRAMES:
                frames.clear()
            frame = frames[key] = self.bind(x, out).without_arrays()
        return frame.on(x, out)

    def _bind(self, run: Any, size: int, x: Any, y: Any, residual: Any, threads: Optional[ThreadPool], keep: Any,
              result: Array) -> Bound:
        executor, _ = executor_of(threads)
        args = run_args(executor, residual, size)
        return Bound(self._handle, run, (x, y), args, size, (self, x, y, residual, threads, keep), result)

    def _check_residual(self, residual: Optional[Array]) -> None:
        if (residual is not None) != self._residual:
            raise InvalidArgumentError(f"residual is {'given' if residual is not None else 'None'}, the plan was made "
                                       f"with residual={self._residual}")


class Conv(_Plan):
    """A convolution layer of 1 to 3 spatial axes: activation(conv(x) + bias + residual).

    `input` are the spatial extents of x. `padding` is a number, one for each axis, or a pair for each. Arrays are
    [batch, channels, spatial axes...] of any strides: NHWC data are given as data.transpose(0, 3, 1, 2), and then the
    output is in that layout, too. Plans are immutable and serve any number of threads at once.

    >>> import numpy as np, lacuna
    >>> weights = lacuna.prune(np.ones((16, 8, 3, 3), np.float32), "dense")
    >>> conv = lacuna.Conv(weights, input=(5, 7), padding=1, bias=np.full(16, 0.5), activation="relu")
    >>> nhwc = np.ones((1, 5, 7, 8), np.float32)
    >>> y = conv(nhwc.transpose(0, 3, 1, 2))
    >>> float(y[0, 0, 2, 2]), y.transpose(0, 2, 3, 1).flags.c_contiguous
    (72.5, True)
    >>> conv.reshape((9, 9), batch=2)(np.ones((2, 8, 9, 9), np.float32)).shape
    (2, 16, 9, 9)
    """

    def __init__(self, weights: Weights, input: Axes, *, batch: int = 1, kernel: Optional[Axes] = None,
                 stride: Axes = 1, padding: Union[Axes, Sequence[Sequence[int]]] = 0, dilation: Axes = 1,
                 bias: Optional[npt.ArrayLike] = None, activation: str = "none", low: float = 0.0, high: float = 6.0,
                 slope: float = 0.01, residual: bool = False, winograd: bool = False, measure: bool = False):
        extents = (kernel,) if isinstance(kernel, int) else tuple(weights.kernel if kernel is None else kernel)
        rank = len(extents)
        taps = int(np.prod(extents))
        if rank == 0 or taps == 0 or weights.shape[1] % taps != 0:
            raise InvalidArgumentError(f"kernel is {extents}, must be the extents of kernels whose cells divide the "
                                       f"{weights.shape[1]} columns of the weights")
        shape = new("lacuna_conv_shape", rank=rank, batch=batch, groups=weights.groups,
                    in_channels=weights.shape[1] // taps * weights.groups, out_channels=weights.shape[0])
        for name, values in (("input", input), ("kernel", extents), ("stride", stride), ("dilation", dilation)):
            per_axis: Any = (values,) * rank if isinstance(values, int) else tuple(values)
            if len(per_axis) != rank:
                raise InvalidArgumentError(f"{name} has {len(per_axis)} values, must have {rank}")
            for axis, value in enumerate(per_axis):
                getattr(shape, name)[axis] = value
        pads: Any = padding
        if isinstance(padding, int):
            pads = (padding,) * rank
        if len(pads) != rank:
            raise InvalidArgumentError(f"padding has {len(pads)} values, must have {rank}")
        for axis, pad in enumerate(pads):
            shape.pad_begin[axis], shape.pad_end[axis] = (pad, pad) if isinstance(pad, int) else pad
        epilogue, keep = epilogue_of(bias, activation, low, high, slope, residual)
        options = new("lacuna_plan_options", winograd=winograd, measure=measure)
        handle = ffi.new("lacuna_conv **")
        check(lib.lacuna_conv_create(weights._handle, shape, epilogue, options, handle))
        self._own(handle[0], weights, shape, residual)

    def _own(self, handle: Any, weights: Weights, shape: Any, residual: bool) -> None:
        self._handle = ffi.gc(handle, lib.lacuna_conv_destroy)
        self._frames = _Frames()
        self._weights = weights
        self._residual = residual
        rank = shape.rank
        self._fields = shape
        self.input_shape = (shape.batch, shape.in_channels, *shape.input[0:rank])
        extent = ffi.new("int64_t[]", rank + 2)
        check(lib.lacuna_conv_output(self._handle, extent))
        self.output_shape = tuple(extent)

    def reshape(self, input: Axes, batch: int = 1) -> Conv:
        """The same layer for other extents; packed weights are shared."""
        rank = self._fields.rank
        extents = (input,) * rank if isinstance(input, int) else tuple(input)
        if len(extents) != rank:
            raise InvalidArgumentError(f"input has {len(extents)} values, must have {rank}")
        handle = ffi.new("lacuna_conv **")
        check(lib.lacuna_conv_reshape(self._handle, batch, ffi.new("int64_t[]", extents), handle))
        shape = ffi.new("lacuna_conv_shape *", self._fields[0])
        shape.batch = batch
        shape.input[0:rank] = extents
        conv = Conv.__new__(Conv)
        conv._own(handle[0], self._weights, shape, self._residual)
        return conv

    def workspace_bytes(self, threads: int = 1) -> int:
        """Bytes of memory that a run uses."""
        return lib.lacuna_conv_workspace_bytes(self._handle, threads)

    def explain(self) -> str:
        """What was chosen, and why."""
        return explain(lib.lacuna_conv_explain, self._handle)

    def bind(self, x: Array, out: Optional[Array] = None, residual: Optional[Array] = None,
             threads: Optional[ThreadPool] = None) -> Bound:
        """The run on these arrays, to be called repeatedly: without what Python needs to look at arrays."""
        rank = len(self.input_shape)
        self._check_residual(residual)
        require("x", x, rank)
        if out is None:
            out = self._output_of(x)
        require("out", out, rank, writable=True)
        add = None if residual is None else tensor(require("residual", residual, rank))
        _, concurrency = executor_of(threads)
        return self._bind(lib.lacuna_conv_run, self.workspace_bytes(concurrency), tensor(x), tensor(out), add, threads,
                          (x, out, residual), out)

    def _output_of(self, x: Array) -> Array:
        """An output in the layout of x."""
        shape = self.output_shape
        if x.strides[1] != 4 or x.shape[1] == 1 or x.strides[-1] == 4:
            return np.empty(shape, np.float32)
        channels_last = np.empty((shape[0], *shape[2:], shape[1]), np.float32)
        return np.moveaxis(channels_last, -1, 1)


def _as_columns(name: str, array: Array, writable: bool = False) -> Array:
    """[N, K], or a vector, as a matrix of N columns."""
    require(name, array, None, writable)
    if array.ndim == 1:
        return array[:, np.newaxis]
    if array.ndim == 2:
        return array.T
    raise InvalidArgumentError(f"{name} has {array.ndim} axes, must have 1 or 2")


class _Product(_Plan):
    """What Gemm and Gemv have in common: rows of x, [N, K], are columns of the product."""

    _RUN: Any
    _EXPLAIN: Any
    _weights: Weights
    _rows: int

    def _size(self, threads: int, n: int) -> int:
        raise NotImplementedError

    def _output_of(self, x: Array) -> Array:
        return np.empty((*x.shape[:-1], self._rows), np.float32)

    def explain(self) -> str:
        """What was chosen, and why."""
        return explain(self._EXPLAIN, self._handle)

    def bind(self, x: Array, out: Optional[Array] = None, residual: Optional[Array] = None,
             threads: Optional[ThreadPool] = None) -> Bound:
        """The run on these arrays, to be called repeatedly: without what Python needs to look at arrays."""
        self._check_residual(residual)
        columns = _as_columns("x", x)
        if out is None:
            out = self._output_of(x)
        add = None if residual is None else tensor(_as_columns("residual", residual))
        to = tensor(_as_columns("out", out, writable=True))
        _, concurrency = executor_of(threads)
        return self._bind(self._RUN, self._size(concurrency, columns.shape[1]), tensor(columns), to, add, threads,
                          (x, out, residual), out)


class Gemm(_Product):
    """A fully connected layer: y[N, M] = activation(x[N, K] W^T + bias + residual), for up to `n` rows of x.

    >>> import numpy as np, lacuna
    >>> weights = lacuna.prune(np.eye(32, 16, dtype=np.float32), "unstructured-4x")
    >>> gemm = lacuna.Gemm(weights, n=10, activation="clamp", low=0, high=3)
    >>> gemm(np.arange(32, dtype=np.float32).reshape(2, 16)).shape
    (2, 32)
    """

    _RUN = lib.lacuna_gemm_run
    _EXPLAIN = lib.lacuna_gemm_explain

    def __init__(self, weights: Weights, n: int, *, bias: Optional[npt.ArrayLike] = None, activation: str = "none",
                 low: float = 0.0, high: float = 6.0, slope: float = 0.01, residual: bool = False,
                 measure: bool = False):
        epilogue, keep = epilogue_of(bias, activation, low, high, slope, residual)
        handle = ffi.new("lacuna_gemm **")
        check(lib.lacuna_gemm_create(weights._handle, n, epilogue, new("lacuna_plan_options", measure=measure), handle))
        self._own(handle[0], weights, n, residual)

    def _own(self, handle: Any, weights: Weights, n: int, residual: bool) -> None:
        self._handle = ffi.gc(handle, lib.lacuna_gemm_destroy)
        self._frames = _Frames()
        self._weights, self._rows = weights, weights.shape[0]
        self._residual = residual
        self.n = n

    def reshape(self, n: int) -> Gemm:
        """The same layer for up to `n` rows; packed weights are shared."""
        handle = ffi.new("lacuna_gemm **")
        check(lib.lacuna_gemm_reshape(self._handle, n, handle))
        gemm = Gemm.__new__(Gemm)
        gemm._own(handle[0], self._weights, n, self._residual)
        return gemm

    def workspace_bytes(self, threads: int = 1) -> int:
        """Bytes of memory that a run uses."""
        return lib.lacuna_gemm_workspace_bytes(self._handle, threads)

    def _size(self, threads: int, n: int) -> int:
        return self.workspace_bytes(threads)


class Gemv(_Product):
    """The same for a vector x[K], or a few rows: bound by the bytes of the weights.

    >>> import numpy as np, lacuna
    >>> gemv = lacuna.Gemv(lacuna.prune(np.ones((8, 16), np.float32), "bcr_col-4x"))
    >>> gemv(np.ones(16, np.float32))
    array([4., 4., 4., 4., 4., 4., 4., 4.], dtype=float32)
    """

    _RUN = lib.lacuna_gemv_run
    _EXPLAIN = lib.lacuna_gemv_explain

    def __init__(self, weights: Weights, *, bias: Optional[npt.ArrayLike] = None, activation: str = "none",
                 low: float = 0.0, high: float = 6.0, slope: float = 0.01, residual: bool = False):
        epilogue, keep = epilogue_of(bias, activation, low, high, slope, residual)
        handle = ffi.new("lacuna_gemv **")
        check(lib.lacuna_gemv_create(weights._handle, epilogue, handle))
        self._handle = ffi.gc(handle[0], lib.lacuna_gemv_destroy)
        self._frames = _Frames()
        self._weights, self._rows = weights, weights.shape[0]
        self._residual = residual

    def workspace_bytes(self, threads: int = 1, n: int = 1) -> int:
        """Bytes of memory that a run of n rows uses."""
        return lib.lacuna_gemv_workspace_bytes(self._handle, threads, n)

    def _size(self, threads: int, n: int) -> int:
        return self.workspace_bytes(threads, max(n, 1))
