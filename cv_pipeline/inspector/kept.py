"""Keeps the last few of some costly things, each made once, and no more than there is room for."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

from cv_pipeline.catalog.snapshot import Snapshot

T = TypeVar("T")

ROOM = 1024**3
"""Bytes that what is kept may take in memory, about."""
_DEEP, _LOOKED_AT, _MOST = 5, 64, 2_000


class Kept(Generic[T]):
    """The last few of some costly things, each made once.

    Args:
        size: how many are kept.
        room: bytes that they may take together, about; the newest one is kept whatever it takes.
    """

    def __init__(self, size: int, *, room: int = ROOM) -> None:
        self._size = size
        self._room = room
        self._bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under a key; made when it is not."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._kept:
                    return self._kept[key][0]
            try:
                made = make()
                self._keep(key, made)
            finally:
                with self._lock:  # only now: whoever comes between would make it again
                    self._making.pop(key, None)
            return made

    def __contains__(self, key: Hashable) -> bool:
        """Whether something is kept under a key."""
        with self._lock:
            return key in self._kept

    def _keep(self, key: Hashable, made: T) -> None:
        size = weight(made)
        with self._lock:
            self._kept[key] = (made, size)
            self._bytes += size
            while len(self._kept) > self._size or self._bytes > self._room:
                if len(self._kept) == 1:
                    break
                _, (_, freed) = self._kept.popitem(last=False)
                self._bytes -= freed


def weight(thing: Any) -> int:
    """About how many bytes a thing takes in memory, with what it holds.

    Of a long list the first elements stand for all, and so many things are looked at and no more.
    A snapshot of a lake weighs nothing: it is mapped from files.
    """
    return _Scale().weigh(thing, _DEEP)


class _Scale:
    """Weighs one thing."""

    def __init__(self) -> None:
        self._left = _MOST

    def weigh(self, thing: Any, deep: int) -> int:
        if isinstance(thing, Snapshot) or thing is None:
            return 0
        self._left -= 1
        size = getattr(thing, "nbytes", None)  # of arrays and tables
        if isinstance(size, int):
            return size
        own = sys.getsizeof(thing, 64)
        if deep == 0 or self._left <= 0 or isinstance(thing, str | bytes | int | float | type):
            return own
        # exactly these: what is like one may not let itself be looked through
        if type(thing) in (dict, OrderedDict):
            return own + self._some(list(thing.values()), deep)
        if type(thing) in (list, tuple, set, frozenset):
            return own + self._some(list(thing), deep)
        held = getattr(thing, "__dict__", None)
        if not isinstance(held, dict):
            return own
        return own + sum(self.weigh(value, deep - 1) for value in list(held.values()))

    def _some(self, things: Sequence[Any], deep: int) -> int:
        looked_at = things[:_LOOKED_AT]
        if not looked_at:
            return 0
        known = sum(self.weigh(thing, deep - 1) for thing in looked_at)
        return known * len(things) // len(looked_at)
