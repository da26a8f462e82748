"""How well the score of a class sets its images apart from the others.

Each class against the rest: the area under the receiver operating characteristic, and average
precision. Both for many samples of the images at once, given as weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rank_of_truth(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) classes that come before the true one, by score and then by their order.

    Args:
        scores: (n, classes).
        truth: (n,) index of the true class.
    """
    given = scores[np.arange(len(truth)), truth][:, None]
    earlier = np.arange(scores.shape[1]) < truth[:, None]
    out: NDArray[np.int64] = ((scores > given) | ((scores == given) & earlier)).sum(axis=1)
    return out


class OneVsRest:
    """The images in the order of the score of one class.

    Args:
        score: (n,) score of the class.
        positive: (n,) whether it is the true one.
    """

    def __init__(self, score: NDArray[np.float64], positive: NDArray[np.bool_]) -> None:
        self._order = np.argsort(-score, kind="stable")
        ordered = score[self._order]
        self._positives = np.flatnonzero(positive[self._order])
        # Images of equal score are passed at once, and only where one of them is of the class does
        # anything add up.
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
        ends = np.append(starts[1:], len(ordered))
        group = np.searchsorted(ends, self._positives, side="right")
        first = np.flatnonzero(np.diff(group, prepend=-1))
        self._first_of_group = first
        self._start, self._end = starts[group[first]], ends[group[first]]

    def measure(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Area under the ROC curve, and average precision.

        Average precision is Σ (recall gained × precision) over the distinct scores, as
        scikit-learn's, without interpolation.

        Args:
            weights: (samples, n) how often each image counts.

        Returns:
            (2, samples); NaN where there are no images of the class, or for the area none of the
            others.
        """
        if len(self._positives) == 0:
            return np.full((2, len(weights)), np.nan)
        ordered = weights.T[self._order]
        said = np.cumsum(ordered, axis=0)
        total = said[-1]
        gained = np.add.reduceat(ordered[self._positives], self._first_of_group, axis=0)
        right = np.cumsum(gained, axis=0)
        until, before = said[self._end - 1], said[self._start - 1]
        before[self._start == 0] = 0.0
        positives = right[-1]
        negatives = total - positives
        # of the images that are not of the class: those below, and half of those of equal score
        below = negatives - (until - right) + (until - before - gained) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            area = (gained * below).sum(axis=0) / (positives * negatives)
            precision = np.where(until > 0, right / until, 0.0)
            average = (gained * precision).sum(axis=0) / positives
        return np.stack([area, average])
