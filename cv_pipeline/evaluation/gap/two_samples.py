"""Whether a classifier tells the images of two splits apart, and by chance how likely.

A permutation test over units, the images that belong together: whole units change splits, so that
images of one burst never pass for many pictures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 999
FEWEST_UNITS = 5
"""Units of a split below which 252 divisions of them are not reached, and so no p < 0.01."""
FEWEST_IMAGES = 40
_IMAGES = 2000
_FOLDS = 4
_RIDGE = 40.0  # as many units as would be needed to double a feature's variance
_LEAST = 1e-12  # standard deviation of what hardly differs
_SEED = 0


def told_apart(
    looks: NDArray[np.float64], unit: NDArray[np.int64], second: NDArray[np.bool_]
) -> tuple[float | None, float | None]:
    """How well a classifier tells two splits apart, and the probability of that by chance.

    Classifier two-sample test (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR
    2017). The classifier is Fisher's linear discriminant with a ridge, cross-validated in four
    folds of whole units. It is right on the mean of both splits' shares of units, in which every
    unit counts as one, however many images it has. The accuracies of the folds depend on each
    other, so the probability is that of a permutation test: the units are divided anew 999 times,
    folds staying as they are, and the division that is there counts as one more (Phipson and Smyth,
    "Permutation p-values should never be zero", Stat. Appl. Genet. Mol. Biol. 9, 2010).

    A unit that is in both splits has no split of its own, and is left out. At most about 2000
    images of each split are looked at: as many of every unit of either split as that allows.

    Args:
        looks: (n, features) numbers; no feature is NaN.
        unit: (n,) images that belong together, in either split, have the same.
        second: (n,) whether an image is of the second split.

    Returns:
        Share that is right, 0.5 being chance, and its probability; None where there are too few
        images or units, or nothing in which images differ.
    """
    rng = np.random.default_rng(_SEED)
    rows = _drawn(unit, second, rng)
    _, first, at, size = np.unique(
        unit[rows], return_index=True, return_inverse=True, return_counts=True
    )
    label = second[rows[first]]
    looks = looks[rows][:, np.ptp(looks, axis=0) > 0]
    images = np.bincount(second[rows], minlength=2).min()
    units = np.bincount(label, minlength=2).min()
    if looks.shape[1] == 0 or images < FEWEST_IMAGES or units < FEWEST_UNITS:
        return None, None
    looks = (looks - looks.mean(axis=0)) / np.maximum(looks.std(axis=0), _LEAST)
    divided = np.tile(label, (PERMUTATIONS + 1, 1))
    rng.permuted(divided[1:], axis=1, out=divided[1:])
    fold = rng.permutation(len(size)) % _FOLDS
    shares = _shares(looks, at, 1 / size[at], fold, divided.T)
    extreme = int((shares[1:] >= shares[0] - 1e-9).sum())
    return float(shares[0]), (1 + extreme) / (1 + PERMUTATIONS)


def _drawn(
    unit: NDArray[np.int64], second: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rows to look at; neither how many of a unit nor which depends on its split."""
    both = np.intersect1d(unit[second], unit[~second])
    rows = rng.permutation(np.flatnonzero(~np.isin(unit, both)))
    rows = rows[np.argsort(unit[rows], kind="stable")]
    _, first, size = np.unique(unit[rows], return_index=True, return_counts=True)
    of_second = second[rows[first]]
    kept = np.zeros(len(first), dtype=bool)
    for side in (False, True):
        kept[rng.permutation(np.flatnonzero(of_second == side))[:_IMAGES]] = True
    most = max(1, _IMAGES // max(1, np.bincount(of_second).max(initial=0)))
    place = np.arange(len(rows)) - np.repeat(first, size)
    drawn: NDArray[np.int64] = rows[np.repeat(kept, size) & (place < most)]
    return drawn


def _shares(
    looks: NDArray[np.float64],
    unit: NDArray[np.int64],
    weight: NDArray[np.float64],
    fold: NDArray[np.int64],
    divided: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(divisions,) mean of both splits' shares of units that are told right.

    What a discriminant has to invert is the scatter of all images that it learns from, which is the
    same however they are divided: all divisions are a few products of matrices.

    Args:
        looks: (n, features) standardised numbers.
        unit: (n,) index of the unit.
        weight: (n,) those of a unit add up to 1.
        fold: (units,) in which a unit is tested.
        divided: (units, divisions) whether a unit is of the second split.
    """
    weighted = looks * weight[:, None]
    means = np.zeros((len(fold), looks.shape[1]))
    np.add.at(means, unit, weighted)
    sizes = divided.sum(axis=0)
    told = np.zeros(divided.shape[1])  # units of the second split that are said to be of it
    said = np.zeros(divided.shape[1])  # all that are
    for number in range(_FOLDS):
        learned, tested = fold != number, fold[unit] == number
        scatter = weighted[~tested].T @ looks[~tested]
        scatter[np.diag_indices_from(scatter)] += _RIDGE
        labels = divided[learned].astype(np.float64)
        of_second = labels.sum(axis=0)
        sums = means[learned].T @ labels
        second = sums / np.maximum(of_second, 1)
        rest = means[learned].sum(axis=0)[:, None] - sums
        first = rest / np.maximum(len(labels) - of_second, 1)
        direction = np.linalg.solve(scatter, second - first)
        middle = (direction * (first + second)).sum(axis=0) / 2
        is_second = looks[tested] @ direction > middle
        said += weight[tested] @ is_second
        told += weight[tested] @ (is_second & divided[unit[tested]])
    shares: NDArray[np.float64] = (told / sizes + 1 - (said - told) / (len(fold) - sizes)) / 2
    return shares
