"""True and predicted class of many images as parallel arrays: what classification is scored on."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Answers:
    """One true and at most one predicted class an image.

    Attributes:
        truth: (images,) index of the true class.
        predicted: (images,) index of the class with the highest score; the number of classes where
            nothing was predicted.
        confidence: (images,) its score, 0 to 1; NaN where nothing was predicted.
        truth_score: (images,) score that the true class was given; 0 where it was given none.
        scores: (images, classes) score of every class, 0 for those that were given none; None where
            only the answers are known.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    truth_score: NDArray[np.float64]
    scores: NDArray[np.float64] | None = None

    def take(self, chosen: NDArray[np.bool_]) -> Self:
        """The answers where a mask is true."""
        known = {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}
        return replace(self, **{name: values[chosen] for name, values in known.items()})

    def scored(self) -> Self:
        """The answers whose score is known."""
        return self.take(~np.isnan(self.confidence))


def unlike_probabilities(answers: Answers) -> int:
    """How many of the answers have scores that do not sum to 1; 0 where these are not known."""
    scored = answers.scored()
    if scored.scores is None:
        return 0
    return int((np.abs(scored.scores.sum(axis=1) - 1) > SUM_TOLERANCE).sum())
