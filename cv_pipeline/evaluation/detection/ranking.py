"""Precision and recall of detections in descending order of score, for any weights on images.

What is right is settled once, by matching; a weight of 0 or 1 on each image makes a slice, a
number of times a resample of a bootstrap, and the result is that of an evaluation of those images
alone, as pycocotools would compute it. All classes and thresholds are accumulated together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.boxes import Boxes, Detections

RECALL_POINTS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)
"""COCO's, to the bit."""


class Ranking:
    """Detections by class and descending score, with what each of them is at each threshold.

    Args:
        truth: objects that count: neither ignored nor crowds.
        detections: of the same images; of equal scores, that of the first image comes first.
        found: (detections, T) whether a detection matches an object that counts.
        ignored: (detections, T) whether it is neither right nor wrong.
        labels: number of classes.
    """

    def __init__(
        self,
        truth: Boxes,
        detections: Detections,
        *,
        found: NDArray[np.bool_],
        ignored: NDArray[np.bool_],
        labels: int,
    ) -> None:
        self._labels = labels
        self._thresholds = found.shape[1]
        self._truth = truth.image, truth.label
        order = np.lexsort((detections.image, -detections.score, detections.label))
        label = detections.label[order]
        self._image = detections.image[order]
        self._place = detections.ranks()[order]
        self._class_start = np.searchsorted(label, np.arange(labels))
        # By threshold, then class, then score: where in the order a match is.
        threshold, self._hit = np.nonzero(found[order].T)
        self._segment = threshold * labels + label[self._hit]
        threshold, self._skipped = np.nonzero(ignored[order].T)
        # How many are skipped before each match, and before its class begins, at its threshold.
        size = len(order)
        at = threshold * size + self._skipped
        row = self._segment // labels * size
        self._skipped_until = np.searchsorted(at, row + self._hit)
        self._skipped_before = np.searchsorted(at, row + self._class_start[self._segment % labels])

    def average_precision(
        self,
        weights: NDArray[np.int64] | None = None,
        *,
        points: NDArray[np.float64] = RECALL_POINTS,
    ) -> NDArray[np.float64]:
        """Mean of precision at points of recall, as COCO defines it.

        Precision at a recall is the highest at that recall or a higher one, and 0 beyond.

        Args:
            weights: (images,) how often an image counts; once each if not given.
            points: recall, ascending from 0.

        Returns:
            (labels, T) float64; NaN for a class without an object.
        """
        means: NDArray[np.float64] = self.interpolated(weights, points=points).mean(axis=2)
        return means

    def interpolated(
        self, weights: NDArray[np.int64] | None = None, *, points: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(labels, T, points) interpolated precision; NaN for a class without an object."""
        segment, found, said, objects = self._at_matches(weights)
        curves = interpolated_precision(
            segment,
            recall=found / objects[segment % self._labels],
            precision=found / said,
            segments=self._thresholds * self._labels,
            points=points,
        )
        curves = curves.reshape(self._thresholds, self._labels, len(points)).transpose(1, 0, 2)
        return np.where((objects > 0)[:, None, None], curves, np.nan)

    def area(self, weights: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Area under the interpolated precision, at every recall that is reached.

        Args:
            weights: (images,) how often an image counts; once each if not given.

        Returns:
            (labels, T) float64; NaN for a class without an object.
        """
        segment, found, said, objects = self._at_matches(weights)
        precision = found / said
        out = np.zeros(self._thresholds * self._labels)
        bounds = np.searchsorted(segment, np.arange(len(out) + 1))
        for n in np.flatnonzero(np.diff(bounds)):
            rows = slice(bounds[n], bounds[n + 1])
            highest = np.maximum.accumulate(precision[rows][::-1])[::-1]
            gained = np.diff(found[rows], prepend=0) / objects[n % self._labels]
            out[n] = (gained * highest).sum()
        areas = out.reshape(self._thresholds, self._labels)
        return np.where(objects > 0, areas, np.nan).T

    def recall(
        self, weights: NDArray[np.int64] | None = None, *, at_most: int | None = None
    ) -> NDArray[np.float64]:
        """Share of the objects that are matched.

        Args:
            weights: (images,) how often an image counts; once each if not given.
            at_most: only so many detections of an image and class count, the strongest.

        Returns:
            (labels, T) float64; NaN for a class without an object.
        """
        hit, segment = self._hit, self._segment
        if at_most is not None:
            early = self._place[hit] < at_most
            hit, segment = hit[early], segment[early]
        found = np.bincount(
            segment,
            weights=None if weights is None else weights[self._image[hit]],
            minlength=self._thresholds * self._labels,
        ).reshape(self._thresholds, self._labels)
        objects = self.objects(weights)
        return np.where(objects > 0, found / np.maximum(objects, 1), np.nan).T

    def objects(self, weights: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """(labels,) objects that count."""
        image, label = self._truth
        counted = np.bincount(
            label, weights=None if weights is None else weights[image], minlength=self._labels
        )
        return counted.astype(np.int64)

    def _at_matches(
        self, weights: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """At every match: segment, matches and detections so far; and objects of each class."""
        hit, segment = self._hit, self._segment
        until, before = self._skipped_until, self._skipped_before
        if weights is None:
            weight = np.ones(len(self._image), dtype=np.int64)
        else:
            weight = weights[self._image].astype(np.int64)
            present = weight[hit] > 0
            if not present.all():  # a slice of few images is worked out on its own matches
                hit, segment = hit[present], segment[present]
                until, before = until[present], before[present]
        found = _running(weight[hit])
        starts = np.searchsorted(segment, np.arange(self._thresholds * self._labels))
        found = found[1:] - found[starts[segment]]
        seen = _running(weight)
        said = seen[hit + 1] - seen[self._class_start[segment % self._labels]]
        if len(self._skipped):
            skipped = _running(weight[self._skipped])
            said = said - (skipped[until] - skipped[before])
        return segment, found, said, self.objects(weights)


def interpolated_precision(
    segment: NDArray[np.int64],
    *,
    recall: NDArray[np.float64],
    precision: NDArray[np.float64],
    segments: int,
    points: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The highest precision at each of some recalls or a higher one, and 0 beyond the last match.

    Args:
        segment: (matches,) which curve a match is of; ascending.
        recall: (matches,) at the match, ascending within a curve.
        precision: (matches,) at the match.
        segments: number of curves.
        points: recall, ascending from 0.

    Returns:
        (segments, points) float64.
    """
    reached = np.searchsorted(points, recall, side="right") - 1
    best = np.zeros(segments * len(points))
    if len(segment):
        cell = segment * len(points) + reached
        starts = np.flatnonzero(np.append(True, cell[1:] != cell[:-1]))
        best[cell[starts]] = np.maximum.reduceat(precision, starts)
    backwards = best.reshape(segments, len(points))[:, ::-1]
    out: NDArray[np.float64] = np.maximum.accumulate(backwards, axis=1)[:, ::-1]
    return out


def _running(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n + 1,) sums of the values before each position, and of all."""
    out = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=out[1:])
    return out
