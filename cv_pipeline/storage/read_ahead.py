"""Reads things ahead of their use by several threads, within a budget of memory.

Many small files are in flight at once, because a request waits far longer than it transfers; of
large ones only as many as the budget holds. Results come in the order of what was asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

BUDGET_BYTES = 128 << 20
"""Bytes in flight at once, unless one thing alone is larger."""

MOST_ITEMS = 64
"""Things in flight at once, however small."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    items: Iterable[Item],
    load: Callable[[Item], Result],
    *,
    size: Callable[[Item], int],
    pool: Executor,
    budget: int = BUDGET_BYTES,
) -> Iterator[Result]:
    """Yield ``load(item)`` of each item, in order.

    What was yielded counts as in flight until the next is asked for.

    Args:
        items: what to load.
        load: called in the threads of ``pool``; its error is raised in the item's place.
        size: bytes that an item takes in memory, at most.
        pool: the threads.
        budget: bytes in flight at once; an item above it is alone.
    """
    waiting: deque[tuple[int, Future[Result]]] = deque()
    held = 0
    try:
        for item in items:
            cost = size(item)
            while waiting and (held + cost > budget or len(waiting) >= MOST_ITEMS):
                held -= waiting[0][0]
                yield waiting.popleft()[1].result()
            waiting.append((cost, pool.submit(load, item)))
            held += cost
        while waiting:
            yield waiting.popleft()[1].result()
    finally:  # also when the caller stops early
        for _, future in waiting:
            future.cancel()
