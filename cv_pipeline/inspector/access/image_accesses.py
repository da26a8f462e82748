"""Which accesses to images were written down lately, so that each stands in the log once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

AGAIN_SECONDS = 600.0
"""After how long the same access is written down again."""
_REMEMBERED = 20_000


class ImageAccesses:
    """Which accesses were written down lately."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def is_news(self, key: tuple[str, ...]) -> bool:
        """Whether an access was not written down lately; it counts as written down from now on."""
        now = time.monotonic()
        with self._lock:
            if now - self._seen.get(key, -AGAIN_SECONDS) < AGAIN_SECONDS:
                return False
            self._seen[key] = now
            self._seen.move_to_end(key)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
            return True

    def forget(self, key: tuple[str, ...]) -> None:
        """Take back that an access was written down."""
        with self._lock:
            self._seen.pop(key, None)
