"""The splits that new images take from images which have one, and those that cannot take any.

A new image joins what it belongs to. One that belongs to images of two splits would leak whichever
it joined, and is left out; no image is ever left out for what others of its unit belong to, so one
bridge between two cameras does not keep away the rest of either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.datasets.splitting.bonds import OPEN, Bonds

_NONE = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Inheritance:
    """What N images take from each other.

    Attributes:
        values: (N,) what each has or has taken, or ``OPEN``.
        left_out: (N,) images that belong to others of two values.
    """

    values: NDArray[np.int64]
    left_out: NDArray[np.bool_]


def inherit(given: NDArray[np.int64], bonds: Bonds) -> Inheritance:
    """Give every open image the value of those that it shares bonds with, near ones first.

    Images that have a value keep it. A bond whose images have several values already hands on the
    most frequent, the greater of equals. An open image whose bonds hand on different values is left
    out; the others take theirs and hand it on in turn. Where a bond is reached from two sides at
    once, it takes the value that most of its images took, and the other ones are left out.

    Args:
        given: (N,) value of each image, at least 0, or ``OPEN``.
        bonds: what belongs together.
    """
    values, left_out = given.copy(), np.zeros(len(given), bool)
    unit = bonds.units()
    low, high = _least_and_greatest(given, unit, len(given))
    single = (low == high)[unit]
    values[single] = low[unit[single]]
    waiting = (given == OPEN) & ~single & (low[unit] != _NONE)
    kept = waiting[bonds.image] | (given[bonds.image] != OPEN)
    kept &= ~single[bonds.image]
    image, bond = bonds.image[kept], bonds.bond[kept]
    hands_on = _most_frequent(bond, given[image], bonds.count)
    while waiting.any():
        offered = np.where(waiting[image], hands_on[bond], OPEN)
        low, high = _least_and_greatest(offered, image, len(given))
        reached = waiting & (low != _NONE)
        if not reached.any():
            break
        torn = reached & (low != high)
        taken = np.where(reached & ~torn, low, OPEN)
        fresh = (hands_on[bond] == OPEN) & (taken[image] != OPEN)
        agreed = _most_frequent(bond[fresh], taken[image[fresh]], bonds.count)
        losers = image[fresh & (taken[image] != agreed[bond])]
        torn[losers], taken[losers] = True, OPEN
        fresh &= taken[image] != OPEN
        hands_on = np.maximum(
            hands_on, _most_frequent(bond[fresh], taken[image[fresh]], bonds.count)
        )
        values = np.where(taken != OPEN, taken, values)
        left_out |= torn
        waiting &= ~reached
    return Inheritance(values, left_out)


def _least_and_greatest(
    values: NDArray[np.int64], of: NDArray[np.int64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(size,) least and greatest value that is not open; the least is _NONE where all are."""
    low, high = np.full(size, _NONE), np.full(size, OPEN)
    known = values != OPEN
    np.minimum.at(low, of[known], values[known])
    np.maximum.at(high, of[known], values[known])
    return low, high


def _most_frequent(
    of: NDArray[np.int64], values: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """(size,) most frequent value that is not open, the greater of equals, or ``OPEN``."""
    found = np.full(size, OPEN)
    known = values != OPEN
    of, values = of[known], values[known]
    if len(values):
        kinds = int(values.max()) + 1
        key, count = np.unique(of * kinds + values, return_counts=True)
        order = np.lexsort((key, count))  # the last written is the most frequent
        found[key[order] // kinds] = key[order] % kinds
    return found
