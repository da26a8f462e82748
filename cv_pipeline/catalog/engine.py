"""The compute engine: one pure function over many batches, in order, on every core.

All of it happens in worker processes, as many as there are batches to give them, so an item that
brings its process down costs nothing but itself. Results come in the order of the batches with at
most a few in memory, so a cluster's engine can take the place of this module.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

BUDGET = 128 << 20
"""Bytes of input that may wait for workers; one batch may exceed it alone."""

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


def map_batches(
    function: Callable[[Sequence[T]], list[R]],
    batches: Iterable[Sequence[T]],
    *,
    size: Callable[[T], int],
) -> Iterator[tuple[Sequence[T], list[R | None]]]:
    """Apply a function to batches.

    Args:
        function: pure and picklable, such as an instance of a module's class; gives one result for
            each item. The modules that it needs are imported by the workers.
        batches: the batches, taken one at a time and a few ahead.
        size: bytes of an item, which bound how many are taken ahead.

    Yields:
        Each batch with its results, in order. A result is None where an item brought its worker
        down, as a decoder can that meets a file made to break it.

    Raises:
        RuntimeError: the function raised, and the message holds the worker's traceback; or no
            worker could be started.
    """
    workers = cores()
    with _Pool[T, R](function, workers) as pool:
        pending: deque[tuple[Sequence[T], int, Future[list[R | None]]]] = deque()
        waiting = 0
        for batch in batches:
            weight = sum(map(size, batch))
            while pending and (
                pending[0][2].done() or len(pending) == 2 * workers or waiting + weight > BUDGET
            ):
                done, freed, future = pending.popleft()
                waiting -= freed
                yield done, future.result()
            pending.append((batch, weight, pool.submit(batch)))
            waiting += weight
        for done, _, future in pending:
            yield done, future.result()


def cores() -> int:
    """Processor cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _WorkerDiedError(Exception):
    """A worker process ended in the middle of a call."""


class _Worker:
    """A child process that runs one function at a time."""

    def __init__(self) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        # A new interpreter, not a fork (Lance's threads would not survive it) and not
        # multiprocessing's spawn (which imports the parent's main program and outlives its death).
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cv_pipeline.catalog.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": path},
        )
        theirs.close()
        self._started = False

    def call(self, function: Callable[[Any], Any], batch: Sequence[Any]) -> Any:
        """Run a function there.

        Raises:
            _WorkerDiedError: the process ended before it answered.
            RuntimeError: the function raised, or the process did not even start.
        """
        try:
            self._started = self._started or self._connection.recv()
            self._connection.send((function, batch))
            succeeded, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            if not self._started:
                raise RuntimeError("A worker process did not start; see above.") from error
            raise _WorkerDiedError from error
        if not succeeded:
            raise RuntimeError(f"A worker process failed:\n{answer}")
        return answer

    def close(self) -> None:
        """End the process, in the middle of a call if need be."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


class _Pool(Generic[T, R]):
    """Workers that share the calls of one function, each started when there is a call for it."""

    def __init__(self, function: Callable[[Sequence[T]], list[R]], workers: int) -> None:
        self._function = function
        # last in, first out: one that runs is taken before None, which stands for one to start
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="engine")

    def __enter__(self) -> _Pool[T, R]:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            worker = self._idle.get()
            if worker is not None:
                worker.close()

    def submit(self, batch: Sequence[T]) -> Future[list[R | None]]:
        return self._threads.submit(self._run, batch)

    def _run(self, batch: Sequence[T]) -> list[R | None]:
        """One call; when the worker dies of it, a call for each item, to find the one at fault."""
        worker = self._idle.get()
        try:
            worker = worker or _Worker()
            return list(worker.call(self._function, batch))
        except _WorkerDiedError:
            if worker is not None:
                worker.close()
            worker = None
        finally:
            self._idle.put(worker)
        if len(batch) == 1:
            return [None]
        return [result for item in batch for result in self._run([item])]
