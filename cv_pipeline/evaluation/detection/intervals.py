"""Confidence intervals of detection metrics, by resampling images.

A resample only changes how often each image counts in the one matching there is. Of equal scores
within an image, copies of a detection stay beside it.
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
        metric: percentiles(float(values[n]), samples[:, n])
        for n, metric in enumerate(METRICS)
        if not np.isnan(values[n])
    }


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
