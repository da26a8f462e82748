"""Opened pictures at hand, bounded in bytes, each opened once whoever asks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from cv_pipeline.imaging.opened import Opened


class Shelf:
    """The last opened pictures; safe for many threads.

    Args:
        size: bytes that they take at most; the last one stays however large it is.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._pictures: OrderedDict[Hashable, Opened] = OrderedDict()
        self._opening: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, open_it: Callable[[], Opened]) -> Opened:
        """The picture of a key; opened when it is not at hand, once for all who ask meanwhile."""
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
                return self._pictures[key]
            opening = self._opening.setdefault(key, threading.Lock())
        with opening:
            with self._lock:
                if key in self._pictures:
                    return self._pictures[key]
            try:
                picture = open_it()
            finally:
                with self._lock:
                    self._opening.pop(key, None)
            with self._lock:
                self._pictures[key] = picture
                held = sum(p.held for p in self._pictures.values())
                while held > self._size and len(self._pictures) > 1:
                    _, gone = self._pictures.popitem(last=False)
                    held -= gone.held
            return picture

    def at_hand(self, key: Hashable) -> Opened | None:
        """The picture of a key when it is at hand."""
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
            return self._pictures.get(key)

    def forget(self, image_id: str) -> None:
        """Give up every picture of an image; keys are tuples that begin with its id."""
        with self._lock:
            for key in [k for k in self._pictures if isinstance(k, tuple) and k[0] == image_id]:
                del self._pictures[key]

    def __len__(self) -> int:
        """How many are at hand."""
        return len(self._pictures)
