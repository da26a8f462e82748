"""Whether scores mean what they say: of things scored 0.8, are 80 % right?

Works on confidence and correctness alone, so that it holds for the answers of a classifier and for
detections at an operating point. A temperature makes a classifier's scores sharper or softer
without changing its answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.measure import Interval
from cv_pipeline.evaluation.resampling import Resampling, percentiles

BINS = 15
"""As in Guo et al. 2017, On Calibration of Modern Neural Networks."""

SMALLEST_SCORE = float(np.finfo(np.float64).eps)
"""Scores are raised to this before a logarithm, as scikit-learn's log_loss does."""

COLDEST, HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram.

    Attributes:
        low: scores above this are in it (the first bin holds 0 too).
        high: scores up to and including this.
        count: how many are.
        confidence: their mean score; None when there are none.
        accuracy: the share of them that is right; None likewise.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def equal_width(confidence: NDArray[np.float64], *, bins: int = BINS) -> NDArray[np.int64]:
    """Bin of each score among ``bins`` of equal width, open below and closed above.

    Args:
        confidence: (n,) scores, 0 to 1.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    out: NDArray[np.int64] = np.searchsorted(edges[1:-1], confidence, side="left")
    return out


def equal_mass(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], *, bins: int = BINS
) -> NDArray[np.int64]:
    """Bin of each score among ``bins`` that hold the same number, to within one.

    Among equal scores those of wrong answers come first, so that the order of the rows does not
    matter.
    """
    order = np.lexsort((correct, confidence))
    out = np.empty(len(order), dtype=np.int64)
    out[order] = np.arange(len(order)) * bins // max(len(order), 1)
    return out


def calibration_error(
    of_bin: NDArray[np.int64], confidence: NDArray[np.float64], correct: NDArray[np.bool_]
) -> float:
    """Expected calibration error: mean over all of | share right - mean score | of their bin.

    Guo et al. 2017, equation 3, with the bins of :func:`equal_width`; with those of
    :func:`equal_mass` it is the adaptive error of Nguyen and O'Connor 2015.

    Args:
        of_bin: (n,) bin of each.
        confidence: (n,) scores, 0 to 1.
        correct: (n,) whether each is right.

    Returns:
        0 to 1; NaN without any.
    """
    gap = np.bincount(of_bin, weights=correct - confidence)
    return float(np.abs(gap).sum() / len(of_bin)) if len(of_bin) else np.nan


def calibration_interval(
    of_bin: NDArray[np.int64],
    confidence: NDArray[np.float64],
    correct: NDArray[np.bool_],
    *,
    image: NDArray[np.int64],
    images: int,
    resampling: Resampling,
) -> Interval:
    """Expected calibration error with its 95 % interval, by a bootstrap of the images.

    Resampling adds noise, and noise adds to the error: the samples are moved down by the mean of
    what it adds.

    Args:
        of_bin: (n,) bin of each score, at least one; the bins stay while images are resampled.
        confidence: (n,) scores, 0 to 1.
        correct: (n,) whether each is right.
        image: (n,) index of the image that each is of.
        images: number of images.
        resampling: of the images.
    """
    value = calibration_error(of_bin, confidence, correct)
    bins = int(of_bin.max()) + 1
    gaps = np.bincount(
        image * bins + of_bin, weights=correct - confidence, minlength=images * bins
    ).reshape(images, bins)
    count = np.bincount(image, minlength=images)
    blocks = []
    for weights in resampling.weights(images):
        total = weights @ count
        summed = np.abs(weights @ gaps).sum(axis=1)
        blocks.append(np.where(total > 0, summed / np.maximum(total, 1), np.nan))
    drawn = np.concatenate(blocks)
    return percentiles(value, np.maximum(drawn - (np.nanmean(drawn) - value), 0.0))


def reliability(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], *, bins: int = BINS
) -> tuple[Bin, ...]:
    """The bars of a reliability diagram, of equal width."""
    of_bin = equal_width(confidence, bins=bins)
    count = np.bincount(of_bin, minlength=bins)
    scored = np.bincount(of_bin, weights=confidence, minlength=bins)
    right = np.bincount(of_bin[correct], minlength=bins)
    edges = np.linspace(0.0, 1.0, bins + 1).tolist()
    return tuple(
        Bin(
            low=edges[b],
            high=edges[b + 1],
            count=int(count[b]),
            confidence=float(scored[b] / count[b]) if count[b] else None,
            accuracy=float(right[b] / count[b]) if count[b] else None,
        )
        for b in range(bins)
    )


def log_losses(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) negative natural logarithm of the score that each true class was given.

    Args:
        scores: (n, classes), 0 to 1.
        truth: (n,) index of the true class.
    """
    given = scores[np.arange(len(truth)), truth]
    out: NDArray[np.float64] = -np.log(np.clip(given, SMALLEST_SCORE, 1.0))
    return out


def brier_scores(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) squared distance of the scores from 1 for the true class and 0 for the others.

    Brier 1950, Verification of forecasts expressed in terms of probability: 0 to 2 if they sum to
    1. Arguments as for :func:`log_losses`.
    """
    given = scores[np.arange(len(truth)), truth]
    out: NDArray[np.float64] = np.einsum("ij,ij->i", scores, scores) - 2 * given + 1
    return np.maximum(out, 0.0)


def fit_temperature(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> float | None:
    """The temperature that makes the log loss smallest (Guo et al. 2017, section 4.2).

    The loss is convex in 1 / temperature, so there is one minimum.

    Args:
        scores: (n, classes), 0 to 1.
        truth: (n,) index of the true class.

    Returns:
        Above 1 where scores are too sure; None where none between 0.05 and 20 is best, such as
        without any wrong answer.
    """
    from scipy.optimize import minimize_scalar

    if len(truth) == 0:
        return None
    logits = _logits(scores)
    wanted = float(logits[np.arange(len(truth)), truth].mean())

    def loss(log_temperature: float) -> float:
        cooled = logits / np.exp(log_temperature)
        top = cooled.max(axis=1)
        spread = np.log(np.exp(cooled - top[:, None]).sum(axis=1)) + top
        return float(spread.mean()) - wanted / float(np.exp(log_temperature))

    ends = (np.log(COLDEST), np.log(HOTTEST))
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-6})
    at_an_end = min(abs(found.x - end) for end in ends) < 1e-3
    return None if at_an_end else float(np.exp(found.x))


def tempered(scores: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """(n, classes) softmax of the logarithms of the scores, divided by the temperature."""
    cooled = _logits(scores) / temperature
    raised = np.exp(cooled - cooled.max(axis=1, keepdims=True))
    out: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return out


def _logits(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of scores: logits, but for a constant of each row that softmax cancels."""
    out: NDArray[np.float64] = np.log(np.maximum(scores, SMALLEST_SCORE))
    return out
