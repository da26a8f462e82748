"""How much average precision each kind of error costs: TIDE's dAP.

An error is mended as an oracle would, the others left, and the difference in AP at IoU 0.5 is its
cost. The numbers are those of tidecv, the paper's own code: the 100 highest-scored detections of an
image count, whatever their class; recall points are exact hundredths; a class that is predicted but
has no object has an AP of 0 and counts in the mean; a cost below 0 is 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.boxes import Boxes, Detections, ranks
from cv_pipeline.evaluation.detection.error_kinds import (
    CLASSIFICATION,
    CORRECT,
    KINDS,
    LOCALISATION,
    MISSED,
    ErrorKinds,
    error_kinds,
)
from cv_pipeline.evaluation.detection.overlap import Pairs
from cv_pipeline.evaluation.detection.ranking import interpolated_precision

MAX_PER_IMAGE = 100
FALSE_POSITIVES, FALSE_NEGATIVES = SPECIAL = ("false_positives", "false_negatives")

_POINTS = np.arange(101) / 100


@dataclass(frozen=True)
class ErrorCosts:
    """Errors among all detections, and what they cost.

    Attributes:
        average_precision: at IoU 0.5, 0 to 1, by TIDE's conventions.
        counts: kind to how many.
        costs: kind to AP gained if all its errors were mended, 0 to 1; and what all false
            positives cost, whatever their kind, and all objects that no detection matches.
    """

    average_precision: float
    counts: dict[str, int]
    costs: dict[str, float]


def error_costs(
    truth: Boxes,
    detections: Detections,
    *,
    pairs: Pairs,
    match: NDArray[np.int32],
    labels: int,
) -> ErrorCosts:
    """Count every kind of error and tell its cost.

    Args:
        truth: objects.
        detections: of the same images.
        pairs: of all classes, from an IoU of 0.1.
        match: (detections,) object that each is matched with at IoU 0.5, -1 for none.
        labels: number of classes.
    """
    place = ranks(detections.image, np.zeros_like(detections.image), detections.score)
    kinds = error_kinds(truth, detections, pairs=pairs, match=match, counts=place < MAX_PER_IMAGE)
    points = _Points.of(truth, detections, kinds, match=match, labels=labels)
    before = points.average_precision()
    costs = {
        kind: max(points.mended(kind).average_precision() - before, 0.0)
        for kind in KINDS
        if kind != CORRECT
    }
    costs[FALSE_POSITIVES] = points.without_false_positives().average_precision() - before
    costs[FALSE_NEGATIVES] = points.without_false_negatives().average_precision() - before
    return ErrorCosts(before, kinds.counts(), costs)


@dataclass(frozen=True)
class _Points:
    """What average precision is made of, one row a detection that counts.

    Attributes:
        label: (n,) index of its class.
        score: (n,) its score.
        order: (n,) what breaks ties of scores.
        right: (n,) whether it is a true positive.
        present: (n,) whether it is in the ranking at all.
        kind: (n,) index into KINDS.
        mends: (n,) class it would match an object of, were it mended; -1 for none.
        objects: (labels,) objects that count.
        missed: (labels,) those of them that TIDE calls missed.
        unmatched: (labels,) those of them that no detection matches.
    """

    label: NDArray[np.int64]
    score: NDArray[np.float64]
    order: NDArray[np.int64]
    right: NDArray[np.bool_]
    present: NDArray[np.bool_]
    kind: NDArray[np.int64]
    mends: NDArray[np.int64]
    objects: NDArray[np.int64]
    missed: NDArray[np.int64]
    unmatched: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        truth: Boxes,
        detections: Detections,
        kinds: ErrorKinds,
        *,
        match: NDArray[np.int32],
        labels: int,
    ) -> _Points:
        rows = kinds.counted
        order = np.empty(len(rows), dtype=np.int64)
        order[np.lexsort((-detections.score[rows], detections.image[rows]))] = np.arange(len(rows))
        right = kinds.kind == KINDS.index(CORRECT)
        objects = np.bincount(truth.label[~truth.crowd], minlength=labels)
        mends = np.full(len(rows), -1)
        mender = np.flatnonzero(kinds.mender >= 0)
        mends[np.searchsorted(rows, kinds.mender[mender])] = truth.label[mender]
        return cls(
            label=detections.label[rows],
            score=detections.score[rows],
            order=order,
            right=right,
            present=right | (match[rows] < 0),  # one of a crowd is neither right nor wrong
            kind=kinds.kind,
            mends=mends,
            objects=objects,
            missed=np.bincount(truth.label[kinds.missed], minlength=labels),
            unmatched=objects - np.bincount(truth.label[kinds.truth[right]], minlength=labels),
        )

    def average_precision(self) -> float:
        """Mean over the classes that have an object or a detection."""
        rows = np.flatnonzero(self.present)
        rows = rows[np.lexsort((self.order[rows], -self.score[rows], self.label[rows]))]
        label = self.label[rows]
        labels = len(self.objects)
        bounds = np.searchsorted(label, np.arange(labels + 1))
        hit = np.flatnonzero(self.right[rows] & (self.objects[label] > 0))
        segment = label[hit]
        found = np.arange(len(hit)) - np.searchsorted(segment, segment) + 1
        curves = interpolated_precision(
            segment,
            recall=found / self.objects[segment],
            precision=found / (hit - bounds[segment] + 1),
            segments=labels,
            points=_POINTS,
        )
        used = (self.objects > 0) | (np.diff(bounds) > 0)
        return float(curves.mean(axis=1)[used].mean()) if used.any() else 0.0

    def mended(self, kind: str) -> _Points:
        """With all errors of a kind mended: the strongest made right, the others taken away."""
        if kind == MISSED:
            return self._changed(objects=self.objects - self.missed)
        these = self.kind == KINDS.index(kind)
        right, label, present = self.right.copy(), self.label.copy(), self.present & ~these
        if kind in (CLASSIFICATION, LOCALISATION):
            mended = these & (self.mends >= 0)
            right[mended] = present[mended] = True
            label[mended] = self.mends[mended]
        return self._changed(right=right, label=label, present=present)

    def without_false_positives(self) -> _Points:
        """With every true positive before every false one."""
        return self._changed(score=self.right.astype(float))

    def without_false_negatives(self) -> _Points:
        """Without the objects that no detection matches."""
        return self._changed(objects=self.objects - self.unmatched)

    def _changed(self, **changed: NDArray[Any]) -> _Points:
        # As tidecv: once anything is mended, of equal scores the errors come first.
        return replace(self, order=self.order + len(self.order) * self.right, **changed)
