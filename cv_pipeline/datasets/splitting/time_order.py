"""Dividing units by time: the oldest first, as a model meets the world.

Without earlier assignments the cuts are where the shares say. With them the cuts stay at the times
where they were, so that nothing is ever trained on that is newer than what is tested; the newest
part then grows, until the rule is changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.datasets.splitting.bonds import OPEN

UNKNOWN = np.iinfo(np.int64).min
"""Stands for a capture time that nobody knows."""


def divide_by_time(
    *,
    latest: NDArray[np.int64],
    weights: NDArray[np.int64],
    shares: Sequence[float],
    fixed: NDArray[np.int64],
    known: NDArray[np.int64],
    order: NDArray[np.uint64],
) -> NDArray[np.int64]:
    """Assign every unit to a part, the oldest to the first.

    Units of which no time is known go to the first part. Every part that has a share gets a unit,
    where there are enough.

    Args:
        latest: (U,) time of the newest image of each unit, or ``UNKNOWN``.
        weights: (U,) images of each unit.
        shares: (S,) share of each part, oldest first; 0 takes none.
        fixed: (U,) part that a unit must have, or ``OPEN``.
        known: (U,) time of the newest image that an earlier version gave the part, or ``UNKNOWN``.
        order: (U,) the lower, the earlier among units of one time.

    Returns:
        (U,) number of the part of each unit.
    """
    takers = np.flatnonzero(np.asarray(shares) > 0)
    part = fixed.copy()
    free = np.flatnonzero(fixed == OPEN)
    part[free] = takers[0]
    free = free[latest[free] != UNKNOWN]
    if (known != UNKNOWN).any():
        starts = _starts(known, fixed, takers)
        at = np.searchsorted(starts, latest[free], side="right") - 1
    else:
        free = free[np.lexsort((order[free], latest[free]))]
        at = _cut(weights[free], np.asarray(shares)[takers])
    part[free] = takers[np.maximum(at, 0)]
    return part


def _starts(
    known: NDArray[np.int64], fixed: NDArray[np.int64], takers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(T,) time from which each part takes: that of its oldest unit, or of any part's after it."""
    starts = np.full(len(takers), np.iinfo(np.int64).max)
    starts[0] = UNKNOWN
    for n, taker in enumerate(takers[1:], start=1):
        times = known[(fixed == taker) & (known != UNKNOWN)]
        starts[n] = times.min(initial=starts[n])
    return np.minimum.accumulate(starts[::-1])[::-1]


def _cut(weights: NDArray[np.int64], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """(F,) number of the part of units in their order: each by where its middle lies."""
    middle = np.cumsum(weights) - weights / 2
    ends = np.searchsorted(middle, np.cumsum(shares)[:-1] * weights.sum() / shares.sum())
    if len(weights) >= len(shares):  # one unit at least for each
        parts = np.arange(1, len(shares))
        ends = np.maximum.accumulate(np.maximum(ends - parts, 0)) + parts
        ends = np.minimum(ends, len(weights) - len(shares) + parts)
    return np.searchsorted(ends, np.arange(len(weights)), side="right")
