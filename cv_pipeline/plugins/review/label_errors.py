"""Labels that a model, which did not learn from them, is confident are wrong.

The scores are those of the error analysis: confident learning by cleanlab for classes, and the same
on boxes (:mod:`cv_pipeline.evaluation.error_analysis.label_errors`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.plugins.review.interface import Need, Work


class LabelErrors:
    """The likeliest error first."""

    needs: tuple[Need, ...] = ("errors",)

    def __call__(self, work: Work, *, seed: int) -> NDArray[np.float64]:  # noqa: ARG002
        """See :class:`~cv_pipeline.plugins.review.interface.Reviewer`."""
        return work.errors
