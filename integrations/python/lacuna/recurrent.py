"""Recurrent layers: RNN, GRU and LSTM, with the semantics and the order of gates of ONNX."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from ._library import (Array, InvalidArgumentError, check, explain, ffi, float_values, lib, new, require, tensor,
                       workspace)
from .threads import ThreadPool, executor_of
from .weights import Weights

PerDirection = Union[Weights, Sequence[Weights]]

_DIRECTIONS = {
    "forward": lib.LACUNA_FORWARD,
    "reverse": lib.LACUNA_REVERSE,
    "bidirectional": lib.LACUNA_BIDIRECTIONAL,
}


class _Recurrent:
    """W x and R h of all gates; `w` [gates * hidden, input], `r` [gates * hidden, hidden], of both directions two."""

    _CELL: int

    def __init__(self, w: PerDirection, r: PerDirection, *, direction: str = "forward",
                 bias: Optional[npt.ArrayLike] = None, activations: Sequence[str] = (), clip: float = 0.0,
                 batch: int = 1, steps: int = 32, peephole: Optional[npt.ArrayLike] = None,
                 linear_before_reset: bool = False, input_forget: bool = False):
        if direction not in _DIRECTIONS:
            raise InvalidArgumentError(f'direction is "{direction}", must be one of {", ".join(_DIRECTIONS)}')
        ws, rs = ([weights] if isinstance(weights, Weights) else list(weights) for weights in (w, r))
        if len(ws) != len(rs):
            raise InvalidArgumentError(f"w has {len(ws)} directions and r {len(rs)}, must have as many")
        names = [ffi.new("char[]", name.encode()) for name in activations] + [ffi.NULL] * (3 - len(activations))
        if len(names) != 3:
            raise InvalidArgumentError(f"activations has {len(activations)} names, must have at most 3")
        biases, bias_count, keep_bias = float_values("bias", bias)
        peepholes, peephole_count, keep_peephole = float_values("peephole", peephole)
        options = new("lacuna_recurrent_options", cell=self._CELL, direction=_DIRECTIONS[direction],
                      linear_before_reset=linear_before_reset, input_forget=input_forget, f=names[0], g=names[1],
                      h=names[2], clip=clip, bias=biases, bias_count=bias_count, peephole=peepholes,
                      peephole_count=peephole_count, batch=batch, steps=steps)
        handle = ffi.new("lacuna_recurrent **")
        check(lib.lacuna_recurrent_create(ffi.new("lacuna_weights *[]", [weights._handle for weights in ws]),
                                          ffi.new("lacuna_weights *[]", [weights._handle for weights in rs]), len(ws),
                                          options, ffi.NULL, handle))
        self._handle = ffi.gc(handle[0], lib.lacuna_recurrent_destroy)
        self._weights = (ws, rs)
        self.directions = len(ws)
        self.hidden = rs[0].shape[1]
        self.input = ws[0].shape[1]

    def workspace_bytes(self, threads: int = 1) -> int:
        """Bytes of memory that a run uses."""
        return lib.lacuna_recurrent_workspace_bytes(self._handle, threads)

    def explain(self) -> str:
        """What was chosen, and why: a line for every product."""
        return explain(lib.lacuna_recurrent_explain, self._handle)

    def _state(self, name: str, state: Optional[Array], batch: int) -> Array:
        """A copy of a state, which the run changes; zeros if there is none."""
        shape = (self.directions, batch, self.hidden)
        if state is None:
            return np.zeros(shape, np.float32)
        if require(name, state, 3).shape != shape:
            raise InvalidArgumentError(f"{name} has the extents {state.shape}, must have {shape}")
        return np.array(state)

    def _run(self, x: Array, h: Optional[Array], c: Optional[Array], has_c: bool, lengths: Optional[npt.ArrayLike],
             threads: Optional[ThreadPool]) -> tuple[Array, Array, Array]:
        require("x", x, 3)
        time, batch, _ = x.shape
        y = np.empty((time, self.directions, batch, self.hidden), np.float32)
        h_next = self._state("h", h, batch)
        c_next = self._state("c", c, batch)
        steps = np.ascontiguousarray([] if lengths is None else lengths, dtype=np.int32)
        executor, concurrency = executor_of(threads)
        size = self.workspace_bytes(concurrency)
        args = new("lacuna_run_args", executor=executor, workspace_bytes=size, workspace=workspace(size),
                   lengths=ffi.cast("int32_t *", steps.ctypes.data) if steps.size else ffi.NULL,
                   length_count=steps.size)
        check(lib.lacuna_recurrent_run(self._handle, tensor(x), tensor(y), tensor(h_next),
                                       tensor(c_next) if has_c else ffi.NULL, args))
        return y, h_next, c_next


class Rnn(_Recurrent):
    """h_t = tanh(W x_t + R h + bias), or another activation.

    x is [time, batch, input]; the results are y [time, directions, batch, hidden] and the last h [directions, batch,
    hidden], which a further call may begin with.

    >>> import numpy as np, lacuna
    >>> w, r = (lacuna.prune(np.full((8, n), 0.1, np.float32), "dense") for n in (4, 8))
    >>> y, h = lacuna.Rnn(w, r)(np.ones((5, 1, 4), np.float32))
    >>> y.shape, h.shape, bool((y[-1] == h).all())
    ((5, 1, 1, 8), (1, 1, 8), True)
    """

    _CELL = lib.LACUNA_RNN

    def __call__(self, x: Array, h: Optional[Array] = None, lengths: Optional[npt.ArrayLike] = None,
                 threads: Optional[ThreadPool] = None) -> tuple[Array, Array]:
        y, h_next, _ = self._run(x, h, None, False, lengths, threads)
        return y, h_next


class Gru(Rnn):
    """Gates z, r, h. linear_before_reset is what PyTorch computes.

    >>> import numpy as np, lacuna
    >>> normal = np.random.default_rng(1).normal
    >>> w = lacuna.prune(normal(size=(3 * 64, 32)).astype(np.float32), "bcr_col-8x")
    >>> r = lacuna.prune(normal(size=(3 * 64, 64)).astype(np.float32), "bcr_col-8x")
    >>> y, h = lacuna.Gru(w, r, linear_before_reset=True, batch=2)(np.ones((7, 2, 32), np.float32), lengths=[7, 4])
    >>> y.shape, float(abs(y[4:, :, 1]).max())
    ((7, 1, 2, 64), 0.0)
    """

    _CELL = lib.LACUNA_GRU


class Lstm(_Recurrent):
    """Gates i, o, f, c; `peephole` are those of i, o and f.

    >>> import numpy as np, lacuna
    >>> w, r = (lacuna.prune(np.full((32, n), 0.1, np.float32), "dense") for n in (4, 8))
    >>> y, h, c = lacuna.Lstm([w, w], [r, r], direction="bidirectional")(np.ones((5, 1, 4), np.float32))
    >>> y.shape, c.shape
    ((5, 2, 1, 8), (2, 1, 8))
    """

    _CELL = lib.LACUNA_LSTM

    def __call__(self, x: Array, h: Optional[Array] = None, c: Optional[Array] = None,
                 lengths: Optional[npt.ArrayLike] = None,
                 threads: Optional[ThreadPool] = None) -> tuple[Array, Array, Array]:
        return self._run(x, h, c, True, lengths, threads)
