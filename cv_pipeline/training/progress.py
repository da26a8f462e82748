"""Progress lines: what is being done, how far it is and how long it will take.

A stage is told at once; the steps within it no more often than every few seconds.
"""

from __future__ import annotations

import os
import time

_EVERY_SECONDS = 3.0


class Progress:
    """Writes progress lines to a file descriptor, each whole.

    Args:
        descriptor: where they go.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._last = time.monotonic()

    def tell(self, line: str) -> None:
        """Write a line now."""
        self._last = time.monotonic()
        os.write(self._descriptor, f"{line}\n".encode())

    def due(self) -> bool:
        """Whether a few seconds have passed since the last line."""
        return time.monotonic() - self._last >= _EVERY_SECONDS


def duration(seconds: float) -> str:
    """A duration for people: ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
