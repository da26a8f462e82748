"""Whether anybody waits for an answer, for what is done beside the answers to give way to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Traffic:
    """The requests that are being answered; safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self._last = -float("inf")

    @contextmanager
    def request(self) -> Iterator[None]:
        """A request is being answered while the block runs."""
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._last = time.monotonic()

    def quiet_for(self) -> float:
        """Seconds since the last answer; 0 while there is one to be given."""
        with self._lock:
            return 0.0 if self._under_way else time.monotonic() - self._last
