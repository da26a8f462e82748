"""Spreads labels over annotators so that all finish as evenly as their skills allow.

Images that the same annotators may label make a group. How many labels of each group everybody gets
is a linear programme: the latest finish is as early as possible, then that of whoever is not held
back by it, and so on. Rounding to whole labels adds at most one label of each group to anybody's
work. Within a group the labels are laid around the circle of its images, annotator after annotator
(McNaughton's wrap-around rule): as nobody has more labels of a group than it has images, nobody
meets an image twice. The same input gives the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXACT_GROUPS = 60
"""Groups, the largest, that the linear programme sees; the others are filled evenly before."""

_ROUNDS = 12
_TIGHT = 1e-9


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of images, one row each.

    Attributes:
        images: (groups,) how many images each has.
        wanted: (groups,) labels that each of its images still takes.
        may: (groups, annotators) who may label its images.
        seconds: (groups, annotators) of work for a label.
    """

    images: NDArray[np.int64]
    wanted: NDArray[np.int64]
    may: NDArray[np.bool_]
    seconds: NDArray[np.float64]

    @property
    def given(self) -> NDArray[np.int64]:
        """(groups,) labels that each image can get: an annotator gives one at most."""
        labels: NDArray[np.int64] = np.minimum(self.wanted, self.may.sum(axis=1))
        return labels


def spread(
    groups: Groups, *, capacity: NDArray[np.float64], busy: NDArray[np.float64]
) -> NDArray[np.int64]:
    """How many labels of each group everybody gets.

    Args:
        groups: the groups.
        capacity: (annotators,) seconds of work that each does in a week.
        busy: (annotators,) seconds of work that each has already.

    Returns:
        (groups, annotators) labels: for each group ``given * images`` in all, and to nobody more
        than it has images.
    """
    shares = np.zeros(groups.may.shape, np.int64)
    total = groups.given * groups.images
    order = np.argsort(-total, kind="stable")
    load = busy.astype(np.float64).copy()
    for group in order[EXACT_GROUPS:]:
        if total[group]:
            shares[group] = _poured(groups, group, capacity=capacity, load=load)
            load += shares[group] * groups.seconds[group]
    exact = np.sort(order[:EXACT_GROUPS])
    exact = exact[total[exact] > 0]
    if len(exact):
        part = Groups(
            groups.images[exact], groups.wanted[exact], groups.may[exact], groups.seconds[exact]
        )
        shares[exact] = _rounded(_levelled(part, capacity=capacity, busy=load), part)
    return shares


def laid_out(shares: NDArray[np.int64], images: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which image of a group is for whom.

    Args:
        shares: (annotators,) labels of the group that each gets, none more than ``images``.
        images: how many images the group has.

    Returns:
        (labels,) places of the images in the group, and (labels,) the annotators.
    """
    annotators = np.repeat(np.arange(len(shares)), shares)
    return np.arange(len(annotators)) % images, annotators


def _levelled(
    groups: Groups, *, capacity: NDArray[np.float64], busy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shares, in fractions of labels, by which finishes are as early as can be, latest first."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, hstack

    group, annotator = np.nonzero(groups.may)
    variables, annotators = len(group), len(capacity)
    totals = (groups.given * groups.images).astype(np.float64)
    weeks = groups.seconds[group, annotator] / capacity[annotator]
    loads = coo_array((weeks, (annotator, np.arange(variables))), (annotators, variables)).tocsr()
    sums = coo_array(
        (np.ones(variables), (group, np.arange(variables))), (len(totals), variables)
    ).tocsr()
    begun = busy / capacity
    limit = np.full(annotators, np.inf)  # finish of those that are settled, in weeks
    settled = np.zeros(annotators, bool)
    working = np.isin(np.arange(annotators), annotator)
    bounds = [(0.0, float(groups.images[g])) for g in group] + [(0.0, None)]
    found = np.zeros(variables)
    for _ in range(_ROUNDS):
        free = working & ~settled
        if not free.any():
            break
        # load of everybody at most the level that is sought, or that they are settled at
        level = coo_array(-free.astype(np.float64)[:, None]).tocsr()
        upper = np.where(settled, limit, 0.0) - begun
        rows = free | (settled & working)
        answer = linprog(
            np.append(np.zeros(variables), 1.0),
            A_ub=hstack([loads, level]).tocsr()[rows],
            b_ub=upper[rows],
            A_eq=hstack([sums, coo_array((len(totals), 1))]).tocsr(),
            b_eq=totals,
            bounds=bounds,
            method="highs",
        )
        if not answer.success:  # rounding of an earlier level: what was found stands
            break
        found = answer.x[:-1]
        reached = float(answer.x[-1])
        tight = np.zeros(annotators, bool)
        tight[np.flatnonzero(rows)] = answer.ineqlin.marginals < -_TIGHT
        tight &= free
        if not tight.any():
            break
        settled |= tight
        limit[tight] = reached * (1 + 1e-9) + 1e-12
    shares = np.zeros(groups.may.shape)
    shares[group, annotator] = found
    return shares


def _rounded(shares: NDArray[np.float64], groups: Groups) -> NDArray[np.int64]:
    """Shares as whole labels of the same sums: those with the largest remainders get one more."""
    near = np.round(shares)
    shares = np.where(np.abs(shares - near) < 1e-6, near, shares)
    whole = np.floor(np.clip(shares, 0, groups.images[:, None])).astype(np.int64)
    left = shares - whole
    room = groups.may & (whole < groups.images[:, None])
    short = groups.given * groups.images - whole.sum(axis=1)
    for group in np.flatnonzero(short):
        while short[group] > 0:
            order = np.argsort(-np.where(room[group], left[group], -np.inf), kind="stable")
            takes = order[: min(short[group], int(room[group].sum()))]
            whole[group, takes] += 1
            left[group, takes] -= 1
            short[group] -= len(takes)
            room[group] = groups.may[group] & (whole[group] < groups.images[group])
        while short[group] < 0:
            has = np.where(whole[group] > 0, left[group], np.inf)
            whole[group, int(np.argmin(has))] -= 1
            left[group, int(np.argmin(has))] += 1
            short[group] += 1
    return whole


def _poured(
    groups: Groups, group: int, *, capacity: NDArray[np.float64], load: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Labels of one group, to whoever would finish first, by halving the level they fill up to."""
    images = float(groups.images[group])
    may = groups.may[group]
    seconds = groups.seconds[group]
    total = float(groups.given[group] * groups.images[group])
    weeks = np.where(may, seconds / capacity, np.inf)
    begun = load / capacity

    def at(level: float) -> NDArray[np.float64]:
        labels: NDArray[np.float64] = np.where(may, np.clip((level - begun) / weeks, 0, images), 0)
        return labels

    low = float(begun[may].min())
    high = float((begun[may] + images * weeks[may]).max())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle).sum() < total else (low, middle)
    one = Groups(
        groups.images[[group]], groups.wanted[[group]], groups.may[[group]], seconds[None, :]
    )
    shares: NDArray[np.int64] = _rounded(at(high)[None, :], one)[0]
    return shares
