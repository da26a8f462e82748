"""Confidence intervals of detection metrics, by resampling images.

A resample only changes how often each image counts in the one matching there is. Of equal scores
within an image, copies of a detection stay beside it.

Interpolated precision is a maximum, and so AP is too high on few images, and higher still on a
resample, which has fewer different ones. Its interval is therefore the basic one (Davison and
Hinkley 1997, section 5.2.1), which turns the resamples over at the value and so takes the bias out;
that of their percentiles can lie above the true AP nearly always. Ratios of sums keep percentiles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.coco import IOU_50, IOU_75
from cv_pipeline.evaluation.detection.ranking import Ranking
from cv_pipeline.evaluation.measure import Counts, Interval
from cv_pipeline.evaluation.resampling import Resampling, percentiles

RESAMPLING = Resampling(resamples=200)
METRICS = ("AP", "AP50", "AP75", "recall", "precision", "f1")
_BIASED = METRICS[:3]


def detection_intervals(
    ranking: Ranking, counts: Counts, *, images: int, resampling: Resampling = RESAMPLING
) -> dict[str, Interval]:
    """95 % intervals of the metrics of all classes together.

    Args:
        ranking: objects of all sizes.
        counts: of the operating point.
        images: number of images.
        resampling: how many times, and with what seed.

    Returns:
        Metric to interval; one that is not defined on the images as they are is absent.
    """
    if images == 0:
        return {}
    sums = np.stack(
        [
            np.bincount(counts.image, weights=column, minlength=images)
            for column in (counts.objects, counts.found, counts.predicted)
        ],
        axis=1,
    ).astype(np.float64)
    values = _metrics(ranking, sums, np.ones((1, images)))[0]
    samples = np.concatenate(
        [_metrics(ranking, sums, block) for block in resampling.weights(images)]
    )
    return {
        metric: (basic if metric in _BIASED else percentiles)(float(values[n]), samples[:, n])
        for n, metric in enumerate(METRICS)
        if not np.isnan(values[n])
    }


def basic(value: float, samples: NDArray[np.float64]) -> Interval:
    """A value with its basic bootstrap interval, within 0 to 1 and stretched to hold the value.

    Samples on which the metric is not defined (NaN) are left out.
    """
    turned = percentiles(value, 2 * value - samples)
    return Interval(value, max(turned.low, 0.0), min(turned.high, 1.0))


def _metrics(
    ranking: Ranking, sums: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(samples, metrics); NaN where one is not defined."""
    out = np.full((len(weights), len(METRICS)), np.nan)
    for row, weight in zip(out, weights, strict=True):
        precision = ranking.average_precision(weight.astype(np.int64))
        precision = precision[~np.isnan(precision[:, 0])]
        if len(precision):
            row[:3] = precision.mean(), precision[:, IOU_50].mean(), precision[:, IOU_75].mean()
    objects, found, predicted = (weights @ sums).T
    with np.errstate(invalid="ignore"):
        out[:, 3:] = np.stack(
            [found / objects, found / predicted, 2 * found / (objects + predicted)], axis=1
        )
    return out
