"""Room for work that takes much memory, so that many people at once do not exhaust it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cv_pipeline.inspector.problems import RequestError


class Busy(RequestError):
    """There is too much to do at once."""

    status = 503


class Room:
    """Memory that pieces of work share; each waits until there is enough left for it.

    Args:
        size: bytes in all. Work that needs more is done alone.
        patience: seconds that work waits at most.
    """

    def __init__(self, size: int, *, patience: float = 30.0) -> None:
        self._size = size
        self._patience = patience
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, need: int) -> Iterator[None]:
        """Have so many bytes while the block runs.

        Raises:
            Busy: others kept the room for too long.
        """
        need = min(need, self._size)
        deadline = time.monotonic() + self._patience
        with self._changed:
            while self._taken + need > self._size:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise Busy(
                        "Too many large pictures are being opened at once.",
                        do="Try again in a moment.",
                    )
            self._taken += need
        try:
            yield
        finally:
            with self._changed:
                self._taken -= need
                self._changed.notify_all()
