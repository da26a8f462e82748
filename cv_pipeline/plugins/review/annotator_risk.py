"""Work of annotators who are often wrong, by their record on gold and against each other.

Whoever was judged a few times only is drawn towards everybody: as if twenty more judgements of
theirs had come out as all together do (a beta prior, as in empirical Bayes).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.plugins.review.interface import Need, Work

PRIOR_JUDGEMENTS = 20.0


class AnnotatorRisk:
    """How likely a label of each piece's annotator is to be wrong."""

    needs: tuple[Need, ...] = ("record",)

    def __call__(self, work: Work, *, seed: int) -> NDArray[np.float64]:  # noqa: ARG002
        """See :class:`~cv_pipeline.plugins.review.interface.Reviewer`."""
        return risks(work.right, work.judged)[work.annotator]


def risks(right: NDArray[np.float64], judged: NDArray[np.float64]) -> NDArray[np.float64]:
    """(a,) probability that a label of each annotator is wrong.

    Args:
        right: (a,) how often each was right.
        judged: (a,) out of how often.
    """
    # half an error more than there were: without one, nobody is known to be free of them
    usual = (judged.sum() - right.sum() + 0.5) / (judged.sum() + 1)
    wrong: NDArray[np.float64] = judged - right + PRIOR_JUDGEMENTS * usual
    return np.asarray(wrong / (judged + PRIOR_JUDGEMENTS))
