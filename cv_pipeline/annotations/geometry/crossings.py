"""Which rings cross themselves: rings of equal length are looked at together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 1_000
"""Points of the largest ring that is looked at; a larger one passes for whole."""

_PAIRS = 1_000_000


def crosses_itself(
    points: NDArray[np.float64], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether two sides of a ring cross that do not follow each other.

    Sides that only touch, or lie on each other, do not cross.

    Args:
        points: x and y of the points of all rings, one ring after the other.
        starts: where each ring begins.
        lengths: how many points it has.
    """
    found = np.zeros(len(starts), dtype=bool)
    for length in np.unique(lengths).tolist():
        if not 4 <= length <= MOST_POINTS:
            continue
        rings = np.flatnonzero(lengths == length)
        at_once = max(1, _PAIRS // length**2)
        for first in range(0, len(rings), at_once):
            some = rings[first : first + at_once]
            table = points[starts[some][:, None] + np.arange(length)]
            found[some] = _cross(table)
    return found


def _cross(rings: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The same of rings (m × n × 2) of one length."""
    here, there = rings, np.roll(rings, -1, axis=1)
    side = _side(here[:, :, None], there[:, :, None], here[:, None, :])
    other = np.roll(side, -1, axis=2)
    apart = side * other < 0  # the ends of side j lie on either side of the line through side i
    return np.asarray((apart & apart.transpose(0, 2, 1)).any(axis=(1, 2)))


def _side(
    start: NDArray[np.float64], end: NDArray[np.float64], point: NDArray[np.float64]
) -> NDArray[np.float64]:
    """On which side of the line from start to end a point lies, as a sign."""
    along, to = end - start, point - start
    return np.sign(along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0])
