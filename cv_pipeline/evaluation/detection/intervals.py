"""Confidence intervals of detection metrics: of AP and AR by resampling images.

A resample only changes how often each image counts in the one matching there is. Of equal scores
within an image, copies of a detection stay beside it.

Interpolated precision is a maximum, and so AP is too high on few images, and higher still on a
resample, which has fewer different ones. Its interval is therefore the basic one (Davison and
Hinkley 1997, section 5.2.1), which turns the resamples over at the value and so takes the bias out;
that of their percentiles can lie above the true AP nearly always. AR keeps percentiles.

Recall, precision and F1 are ratios of sums over images, and have the interval that they have in the
table of slices, where the whole is a slice too.
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
from cv_pipeline.evaluation.slicing.ratios import ratio_terms
from cv_pipeline.evaluation.slicing.statistics import ratio_interval

RESAMPLING = Resampling(resamples=200)
RATIOS = ("recall", "precision", "f1")


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
    class_values = _class_numbers(evaluation, np.ones((1, images)), labels)[0]
    of_classes = np.concatenate(
        [_class_numbers(evaluation, weights, labels) for weights in resampling.weights(images)]
    )
    # A class that a resample leaves out keeps its value, or the mean would be of other classes.
    filled = np.where(np.isnan(of_classes), class_values, of_classes)
    samples, values = _mean(filled), _mean(class_values[None])[0]
    return Intervals(
        {
            metric: _interval(metric, float(values[n]), samples[:, n])
            for n, metric in enumerate(COCO)
            if not np.isnan(values[n])
        }
        | _ratios(counts, images, labels),
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


def _ratios(counts: Counts, images: int, labels: int) -> dict[str, Interval]:
    """Recall, precision and F1 of all classes together, those that are defined."""
    out = {}
    for metric in RATIOS:
        whole = ratio_terms(counts, metric, images=images, labels=labels).whole()
        value, low, high = (float(number) for number in ratio_interval(whole[labels]))
        if not np.isnan(value):
            out[metric] = Interval(value, low, high)
    return out
