"""Sharing out units among splits so that every split has its share of every class.

After the iterative stratification of Sechidis, Tsoumakas and Vlahavas ("On the stratification of
multi-label data", ECML 2011), with whole units and a fixed order of them: class by class from the
rarest on, the units that show the class fill what each split lacks of its share of it. A class that
at least as many units show as there are splits is in each, unless that robs another such class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.datasets.splitting.bonds import OPEN


@dataclass(frozen=True, eq=False)
class ClassUnits:
    """The units that show a class.

    Attributes:
        units: numbers of the units, each once.
        weights: images of each that show the class.
    """

    units: NDArray[np.int64]
    weights: NDArray[np.int64]


def stratify(
    *,
    classes: Sequence[ClassUnits],
    fixed: NDArray[np.int64],
    shares: NDArray[np.float64],
    order: NDArray[np.uint64],
    filled_first: Sequence[int],
) -> NDArray[np.int64]:
    """Assign every unit to a split.

    Args:
        classes: the units of every class; one that is in none is not assigned.
        fixed: (U,) number of the split that a unit must have, or ``OPEN``.
        shares: (S,) share of the open units for each split; 0 takes none.
        order: (U,) the lower, the earlier a unit is assigned.
        filled_first: the order in which splits take units; of too few units the last take first.

    Returns:
        (U,) number of the split of each unit; ``OPEN`` for one that is in no class.
    """
    split = fixed.copy()
    takers = [s for s in filled_first if shares[s] > 0]
    rarest_first = sorted(classes, key=lambda c: len(c.units))
    for shown in rarest_first:
        _fill(split, shown, shares, order, takers)
    enough = [c for c in rarest_first if len(c.units) >= np.count_nonzero(shares)]
    for shown in enough:
        _repair(split, shown, enough, fixed, shares, order)
    return split


def _fill(
    split: NDArray[np.int64],
    shown: ClassUnits,
    shares: NDArray[np.float64],
    order: NDArray[np.uint64],
    takers: Sequence[int],
) -> None:
    """Assign the open units of one class, in their order, to the splits that lack most."""
    now = split[shown.units]
    free = np.flatnonzero(now == OPEN)
    free = free[np.argsort(order[shown.units[free]], kind="stable")]
    have = np.array([shown.weights[now == s].sum() for s in takers])
    total = have.sum() + shown.weights[free].sum()
    without = (have == 0).astype(int)
    for n, taker in enumerate(takers):
        weights = shown.weights[free]
        middle = np.cumsum(weights) - weights / 2
        lack = shares[taker] * total - have[n]
        count = max(int(np.searchsorted(middle, lack)), without[n])
        spare = len(free) - int(without[n + 1 :].sum())
        count = len(free) if n == len(takers) - 1 else max(min(count, spare), 0)
        split[shown.units[free[:count]]] = taker
        free = free[count:]


def _repair(
    split: NDArray[np.int64],
    shown: ClassUnits,
    classes: Sequence[ClassUnits],
    fixed: NDArray[np.int64],
    shares: NDArray[np.float64],
    order: NDArray[np.uint64],
) -> None:
    """Give a class to the splits that are without it, by moving units that others can spare.

    Classes with too few units to be in every split do not hold theirs back.
    """
    units = shown.units[np.argsort(order[shown.units], kind="stable")]
    for taker in np.flatnonzero(shares > 0):
        present = np.bincount(split[units], minlength=len(shares))
        if present[taker] or present.max() < 2:
            continue
        movable = units[(fixed[units] == OPEN) & ~_needed(split, classes)[units]]
        split[movable[:1]] = taker


def _needed(split: NDArray[np.int64], classes: Sequence[ClassUnits]) -> NDArray[np.bool_]:
    """(U,) whether a unit is the only one of its split that shows some class."""
    needed = np.zeros(len(split), bool)
    for shown in classes:
        now = split[shown.units]
        count = np.bincount(now)
        needed[shown.units[count[now] == 1]] = True
    return needed
