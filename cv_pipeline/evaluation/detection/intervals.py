"""Confidence intervals of detection metrics, by resampling images.

A resample only changes how often each image counts in the one matching there is. Of equal scores
within an image, copies of a detection stay beside it.

Interpolated precision is a maximum, and so AP is too high on few images, and higher still on a
resample, which has fewer different ones. Its interval is therefore the basic one (Davison and
Hinkley 1997, section 5.2.1), which turns the resamples over at the value and so takes the bias out;
that of their percentiles can lie above the true AP nearly always. Ratios of sums keep percentiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.coco import CocoEvaluation
from cv_pipeline.evaluation.detection.summary import METRICS as COCO
from cv_pipeline.evaluation.detection.summary import coco_numbers
from cv_pipeline.evaluation.measure import Counts, Interval
from cv_pipeline.evaluation.resampling import Resampling, percentiles

RESAMPLING = Resampling(resamples=200)
METRICS = (*COCO, "recall", "precision", "f1")


@dataclass(frozen=True)
class Intervals:
    """95 % intervals; that of a metric which is not defined on the images as they are is absent.

    Attributes:
        overall: metric to interval, over all classes together.
        classes: (labels,) COCO's numbers of each class to interval.
    """

    overall: dict[str, Interval]
    classes: tuple[dict[str, Interval], ...]


def detection_intervals(
    evaluation: CocoEvaluation,
    counts: Counts,
    *,
    images: int,
    labels: int,
    resampling: Resampling = RESAMPLING,
) -> Intervals:
    """Resample images.

    Args:
        evaluation: what was matched.
        counts: of the operating point.
        images: number of images.
        labels: number of classes.
        resampling: how many times, and with what seed.
    """
    if images == 0:
        return Intervals({}, ({},) * labels)
    sums = np.stack(
        [
            np.bincount(counts.image, weights=column, minlength=images)
            for column in (counts.objects, counts.found, counts.predicted)
        ],
        axis=1,
    ).astype(np.float64)
    class_values = _class_numbers(evaluation, np.ones((1, images)), labels)[0]
    drawn = [
        (_class_numbers(evaluation, weights, labels), weights @ sums)
        for weights in resampling.weights(images)
    ]
    of_classes, totals = (np.concatenate(part) for part in zip(*drawn, strict=True))
    # A class that a resample leaves out keeps its value, or the mean would be of other classes.
    filled = np.where(np.isnan(of_classes), class_values, of_classes)
    samples = np.hstack([_mean(filled), _ratios(totals)])
    values = np.hstack([_mean(class_values[None]), _ratios(sums.sum(axis=0)[None])])[0]
    return Intervals(
        {
            metric: _interval(metric, float(values[n]), samples[:, n])
            for n, metric in enumerate(METRICS)
            if not np.isnan(values[n])
        },
        tuple(
            {
                metric: _interval(metric, float(class_values[k, n]), of_classes[:, k, n])
                for n, metric in enumerate(COCO)
                if not np.isnan(class_values[k, n])
            }
            for k in range(labels)
        ),
    )


def _interval(metric: str, value: float, samples: NDArray[np.float64]) -> Interval:
    return (basic if metric.startswith("AP") else percentiles)(value, samples)


def basic(value: float, samples: NDArray[np.float64]) -> Interval:
    """A value with its basic bootstrap interval, within 0 to 1 and stretched to hold the value.

    Samples on which the metric is not defined (NaN) are left out.
    """
    turned = percentiles(value, 2 * value - samples)
    return Interval(value, max(turned.low, 0.0), min(turned.high, 1.0))


def _class_numbers(
    evaluation: CocoEvaluation, weights: NDArray[np.float64], labels: int
) -> NDArray[np.float64]:
    """(samples, labels, 12) COCO's numbers; NaN for a class without an object of the size."""
    out = np.empty((len(weights), labels, len(COCO)))
    for of_class, weight in zip(out, weights, strict=True):
        numbers = coco_numbers(evaluation, weight.astype(np.int64))
        for n, metric in enumerate(COCO):
            of_class[:, n] = numbers[metric]
    return out


def _mean(of_classes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(samples, 12) means over the classes that have a value, NaN without any."""
    known = ~np.isnan(of_classes)
    with np.errstate(invalid="ignore"):
        out: NDArray[np.float64] = np.where(known, of_classes, 0).sum(axis=1) / known.sum(axis=1)
    return out


def _ratios(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(samples, 3) recall, precision and F1 of (samples, 3) objects, found and predicted."""
    objects, found, predicted = sums.T
    with np.errstate(invalid="ignore"):
        return np.stack(
            [found / objects, found / predicted, 2 * found / (objects + predicted)], axis=1
        )
