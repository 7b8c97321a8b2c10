"""Threads for plans to run on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Optional

from ._library import InvalidArgumentError, ffi


class ThreadPool:
    """Keeps `threads` threads, the calling one among them. Results are bit-identical for any number.

    >>> import numpy as np, lacuna
    >>> weights = lacuna.prune(np.ones((64, 64), np.float32), "bcr_col-4x")
    >>> gemm = lacuna.Gemm(weights, n=100)
    >>> with lacuna.ThreadPool(2) as threads:
    ...     y = gemm(np.ones((100, 64), np.float32), threads=threads)
    >>> float(y[0, 0])
    16.0
    """

    def __init__(self, threads: int):
        if threads < 1:
            raise InvalidArgumentError(f"threads is {threads}, must be at least 1")
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None
        self._callback = ffi.callback("void(void *, size_t, void (*)(void *, size_t), void *)", self._parallel_for)
        self.executor = ffi.new("lacuna_executor *")
        self.executor.struct_size = ffi.sizeof("lacuna_executor")
        self.executor.concurrency = threads
        self.executor.parallel_for = self._callback

    @property
    def concurrency(self) -> int:
        """How many threads there are."""
        return self.executor.concurrency

    def _parallel_for(self, _context: Any, slots: int, task: Any, data: Any) -> None:
        # A task releases the interpreter while it computes. What a pool that is closed refuses is computed here.
        futures = []
        rest = 1
        try:
            while self._pool and rest < slots:
                futures.append(self._pool.submit(task, data, rest))
                rest += 1
        except RuntimeError:
            pass
        for slot in (*range(min(slots, 1)), *range(rest, slots)):
            task(data, slot)
        wait(futures)

    def close(self) -> None:
        """Ends the threads."""
        if self._pool:
            self._pool.shutdown()

    def __enter__(self) -> ThreadPool:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def executor_of(threads: Optional[ThreadPool]) -> tuple[Any, int]:
    """For lacuna_run_args: the executor, and its concurrency."""
    if threads is None:
        return ffi.NULL, 1
    return threads.executor, threads.concurrency
