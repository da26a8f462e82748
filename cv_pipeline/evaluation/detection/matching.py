"""Greedy matching of detections with objects, at many IoU thresholds at once.

The rule is that of COCO's evaluation: by descending score, each detection takes the free object
that it overlaps most, objects that are ignored only where no other will do, a crowd any number of
times. The loop is over the place of a detection within its image and class, never over images.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.overlap import Pairs

_ALMOST_ONE = 1 - 1e-10
"""At a threshold of 1, rounding must not part a box from itself (as in pycocotools)."""


def greedy_matches(
    pairs: Pairs,
    *,
    score: NDArray[np.float64],
    group: NDArray[np.int64],
    thresholds: NDArray[np.float64],
    ignored: NDArray[np.bool_],
    crowd: NDArray[np.bool_],
) -> NDArray[np.int32]:
    """Match detections with objects.

    Args:
        pairs: of detections and objects of one group.
        score: (detections,) scores; of equal ones the first comes first.
        group: (detections,) what competes for the same objects: the image and class, or the image.
        thresholds: (T,) least IoU of a match.
        ignored: (objects,) whether an object is taken only by a detection that no other fits.
        crowd: (objects,) whether an object may be taken many times.

    Returns:
        (detections, T) int32 index of the object; -1 for none.
    """
    out = np.full((len(score), len(thresholds)), -1, dtype=np.int32)
    least = np.minimum(thresholds, _ALMOST_ONE)
    pairs = pairs.take(pairs.iou >= least.min())
    if len(pairs) == 0:
        return out
    turn = _turns(pairs.detection, score, group)
    # Within a detection by preference: of equally good objects, the last.
    pairs, turn = _sorted(
        pairs, turn, (-pairs.truth, -pairs.iou, ignored[pairs.truth], pairs.detection, turn)
    )
    bounds = np.searchsorted(turn, np.arange(turn[-1] + 2))
    free = np.ones((len(ignored), len(thresholds)), dtype=bool)
    once = ~crowd
    for low, high in pairwise(bounds.tolist()):
        part = pairs.take(np.arange(low, high))
        fits = (part.iou[:, None] >= least) & free[part.truth]
        starts = np.flatnonzero(np.append(True, part.detection[1:] != part.detection[:-1]))
        place = np.where(fits, np.arange(high - low)[:, None], high - low)
        best = np.minimum.reduceat(place, starts, axis=0)
        row, threshold = np.nonzero(best < high - low)
        taken = part.truth[best[row, threshold]]
        out[part.detection[starts[row]], threshold] = taken
        alone = once[taken]
        free[taken[alone], threshold[alone]] = False
    return out


def _turns(
    detection: NDArray[np.int64], score: NDArray[np.float64], group: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(pairs,) the place of each pair's detection among those of its group that have a pair."""
    first = np.append(True, detection[1:] != detection[:-1])
    waiting = detection[first]
    order = np.lexsort((-score[waiting], group[waiting]))
    ordered = group[waiting][order]
    starts = np.append(True, ordered[1:] != ordered[:-1])
    position = np.arange(len(order))
    turn: NDArray[np.int64] = np.empty(len(order), dtype=np.int64)
    turn[order] = position - np.maximum.accumulate(np.where(starts, position, 0))
    out: NDArray[np.int64] = turn[np.cumsum(first) - 1]
    return out


def _sorted(
    pairs: Pairs, turn: NDArray[np.int64], keys: tuple[NDArray[np.generic], ...]
) -> tuple[Pairs, NDArray[np.int64]]:
    order = np.lexsort(keys)
    return pairs.take(order), turn[order]
