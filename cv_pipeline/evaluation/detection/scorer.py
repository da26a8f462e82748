"""Scores detections against boxes: average precision, and what is right and wrong at one score.

Average precision is COCO's. Recall, precision, per-image results and confusion count detections
from the operating point's score upwards, matched within their class at IoU 0.5. A crowd is no
object, and a detection of one neither right nor wrong.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.evaluation.curves import Curve, curves_table
from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.detection.coco import (
    IOU_50,
    IOU_75,
    IOU_THRESHOLDS,
    MAX_DETECTIONS,
    CocoEvaluation,
)
from cv_pipeline.evaluation.detection.error_costs import ErrorCosts, error_costs
from cv_pipeline.evaluation.detection.error_kinds import KINDS, MISSED, ErrorKinds, error_kinds
from cv_pipeline.evaluation.detection.intervals import Intervals, detection_intervals
from cv_pipeline.evaluation.detection.matching import greedy_matches
from cv_pipeline.evaluation.detection.overlap import Pairs
from cv_pipeline.evaluation.detection.summary import coco_summary
from cv_pipeline.evaluation.detection.voc import voc_summary
from cv_pipeline.evaluation.measure import (
    Counts,
    Interval,
    Measure,
    WholeMetrics,
    confusion_columns,
    defined,
    ratio,
)

DEFAULT_SCORE = 0.5


@dataclass(frozen=True, eq=False)
class _Cells:
    """What a confusion counts: (n,) image, true and predicted class, and score, each."""

    image: NDArray[np.int64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    score: NDArray[np.float64]


class DetectionScorer:
    """The detections of one split, matched.

    Args:
        truth: objects of the images 0 … ``images`` - 1.
        detections: of the same images, in the order that breaks ties of scores.
        images: number of images.
        labels: classes, by index.
        score: operating point; detections below it count in average precision only.
        pairs: which of the detections overlap which objects, where those are not boxes; then no
            more detections of an image and class than count may be given.
    """

    def __init__(
        self,
        truth: Boxes,
        detections: Detections,
        *,
        images: int,
        labels: tuple[str, ...],
        score: float = DEFAULT_SCORE,
        pairs: Pairs | None = None,
    ) -> None:
        self._truth = truth
        self._detections = detections.strongest(MAX_DETECTIONS)
        self._images = images
        self._labels = labels
        self.evaluation = CocoEvaluation(
            truth, self._detections, images=images, labels=len(labels), pairs=pairs
        )
        match = self.evaluation.matches()
        of_crowd = (match >= 0) & np.append(truth.crowd, False)[match]
        self._match = np.where(of_crowd, -1, match)
        self._aside = of_crowd
        self._single = ~truth.crowd
        self._score = score

    def at(self, score: float) -> DetectionScorer:
        """The same matching at another operating point."""
        out = copy.copy(self)
        out.__dict__.pop("_intervals", None)
        out._score = score
        return out

    def best_score(self) -> float | None:
        """The score from which upwards F1 over all objects is highest; None without a match.

        The highest such score, where several are equally good.
        """
        if not (self._match >= 0).any():
            return None
        order = np.argsort(-self._detections.score, kind="stable")
        order = order[~self._aside[order]]
        scores = self._detections.score[order]
        found = np.cumsum(self._match[order] >= 0)
        f1 = 2 * found / (np.arange(1, len(order) + 1) + self._single.sum())
        last_of_score = np.append(scores[1:] != scores[:-1], True)
        return float(scores[np.argmax(np.where(last_of_score, f1, -1.0))])

    def measure(self, images: NDArray[np.int64]) -> list[Measure]:
        """AP, AP50, AP75, recall, precision and F1 over these images, for all classes and for each.

        Args:
            images: sorted indices.
        """
        chosen = np.zeros(self._images, dtype=bool)
        chosen[images] = True
        size = len(self._labels)
        truth = self._truth.take(chosen[self._truth.image] & self._single)
        counted = chosen[self._detections.image] & self._counted()
        objects = np.bincount(truth.label, minlength=size)
        detected = np.bincount(self._detections.label[counted], minlength=size)
        found = np.bincount(self._detections.label[counted & (self._match >= 0)], minlength=size)
        holding = np.bincount(np.unique(truth.image * size + truth.label) % size, minlength=size)
        precisions = self.evaluation.average_precision(images)
        out = _measures(
            label=None,
            precisions=precisions[objects > 0],
            counts=(int(found.sum()), int(detected.sum()), int(objects.sum())),
            images=len(images),
        )
        for k in np.flatnonzero(objects):
            out += _measures(
                label=self._labels[k],
                precisions=precisions[k : k + 1],
                counts=(int(found[k]), int(detected[k]), int(objects[k])),
                images=int(holding[k]),
            )
        return out

    def per_image(self) -> pa.Table:
        """The columns of schema PER_IMAGE but for image_id and split, in the images' order."""
        counted = self._counted()
        matched = counted & (self._match >= 0)
        objects = np.bincount(self._truth.image[self._single], minlength=self._images)
        right = np.bincount(self._detections.image[matched], minlength=self._images)
        wrong = np.bincount(self._detections.image[counted & ~matched], minlength=self._images)
        total = objects + right + wrong
        return pa.table(
            {
                "objects": objects,
                "true_positives": right,
                "false_positives": wrong,
                "false_negatives": objects - right,
                "correct": (wrong == 0) & (right == objects),
                "score": np.where(total == 0, 1.0, 2 * right / np.maximum(total, 1)),
                "truth": pa.nulls(self._images, pa.string()),
                "predicted": pa.nulls(self._images, pa.string()),
                "confidence": pa.nulls(self._images, pa.float64()),
            }
        )

    def counts(self) -> Counts:
        """Objects, found and predicted, by image and class."""
        counted = self._counted()
        return Counts.of(
            objects=(self._truth.image[self._single], self._truth.label[self._single]),
            predicted=(self._detections.image[counted], self._detections.label[counted]),
            right=self._match[counted] >= 0,
            labels=len(self._labels),
        )

    def confusion(self) -> pa.Table:
        """The columns of schema CONFUSION but for split: what :meth:`confused` lists, counted."""
        cells = self._cells()
        return confusion_columns(cells.truth, cells.predicted, labels=self._labels)

    def confused(self) -> pa.Table:
        """Each detection that counts, and each object that none is: what the confusion counts.

        True positives are the diagonal. What they leave is matched again regardless of class, at
        IoU 0.5, and what that leaves is of no class.

        Returns:
            Columns image (index), truth, predicted (null for none) and score (null for objects).
        """
        cells = self._cells()
        names = pa.array([*self._labels, None], pa.string())
        return pa.table(
            {
                "image": cells.image,
                "truth": names.take(pa.array(cells.truth)),
                "predicted": names.take(pa.array(cells.predicted)),
                "score": pa.array(cells.score, mask=np.isnan(cells.score)),
            }
        )

    def _cells(self) -> _Cells:
        counted = self._counted()
        matched = counted & (self._match >= 0)
        missed = self._single.copy()
        missed[self._match[matched]] = False
        wrong = counted & ~matched
        pairs = self.evaluation.pairs
        again = greedy_matches(
            pairs.take(wrong[pairs.detection] & missed[pairs.truth]),
            score=self._detections.score,
            group=self._detections.image,
            thresholds=IOU_THRESHOLDS[:1],
            ignored=self._truth.crowd,
            crowd=self._truth.crowd,
        )[wrong, 0]
        none = len(self._labels)
        taken = again[again >= 0]
        missed[taken] = False
        right = self._detections.label[matched]
        unseen = self._truth.label[missed]
        predicted_as = np.full(len(again), none)
        predicted_as[again >= 0] = self._truth.label[taken]
        found = self._detections
        return _Cells(
            image=np.concatenate(
                [found.image[matched], found.image[wrong], self._truth.image[missed]]
            ),
            truth=np.concatenate([right, predicted_as, unseen]),
            predicted=np.concatenate([right, found.label[wrong], np.full(len(unseen), none)]),
            score=np.concatenate(
                [found.score[matched], found.score[wrong], np.full(len(unseen), np.nan)]
            ),
        )

    def matches(self) -> pa.Table:
        """The columns of schema MATCHES with the image's index for its id, by image and rank.

        What is missed comes last within an image.
        """
        kinds = self.error_kinds()
        counted, missed = kinds.counted, kinds.missed
        meant = np.concatenate([kinds.truth, missed])
        said = np.concatenate([counted, np.full(len(missed), -1)])
        iou = np.append(kinds.iou, np.full(len(missed), np.nan))
        names = pa.array([*self._labels, None], pa.string())
        none = len(self._labels)
        return pa.table(
            {
                "image": np.concatenate(
                    [self._detections.image[counted], self._truth.image[missed]]
                ),
                "rank": _at(self._detections.key, said, pa.int32()),
                "annotation_id": _at(self._truth.key, meant, pa.string()),
                "truth": names.take(pa.array(np.append(self._truth.label, none)[meant])),
                "predicted": names.take(pa.array(np.append(self._detections.label, none)[said])),
                "score": _at(self._detections.score, said, pa.float64()),
                "iou": pa.array(iou, mask=np.isnan(iou)),
                "kind": pa.array(KINDS).take(
                    pa.array(np.append(kinds.kind, np.full(len(missed), KINDS.index(MISSED))))
                ),
            }
        ).sort_by([("image", "ascending"), ("rank", "ascending"), ("annotation_id", "ascending")])

    def error_kinds(self) -> ErrorKinds:
        """What is wrong with each detection at the operating point, and what was missed."""
        return error_kinds(
            self._truth,
            self._detections,
            pairs=self.evaluation.pairs,
            match=self._match,
            counts=self._counted(),
        )

    def intervals(self) -> dict[str, Interval]:
        """95 % intervals of COCO's numbers, by resampling images, and of three ratios."""
        return self._intervals.overall

    def class_intervals(self) -> dict[str, dict[str, Interval]]:
        """Likewise of COCO's numbers of each class that has an object."""
        known = zip(self._labels, self._intervals.classes, strict=True)
        return {label: intervals for label, intervals in known if intervals}

    @cached_property
    def _intervals(self) -> Intervals:
        return detection_intervals(
            self.evaluation,
            self.counts(),
            images=self._images,
            labels=len(self._labels),
        )

    def curves(self) -> pa.Table:
        """The columns of schema CURVES but for split, at IoU 0.5."""
        alone = np.flatnonzero(~self._aside)
        return curves_table(
            self._detections.score[alone],
            self._match[alone] >= 0,
            self._detections.label[alone],
            objects=np.bincount(self._truth.label[self._single], minlength=len(self._labels)),
            labels=self._labels,
        )

    def whole(self) -> WholeMetrics:
        """COCO's twelve numbers and Pascal VOC's two, for all classes and for each."""
        of_coco = coco_summary(self.evaluation)
        of_voc = voc_summary(
            self._truth, self._detections, pairs=self.evaluation.pairs, labels=len(self._labels)
        )
        of_classes = zip(self._labels, of_coco.classes, of_voc.classes, strict=True)
        return WholeMetrics(
            _known(of_coco.overall | of_voc.overall),
            {k: known for k, a, b in of_classes if (known := _known(a | b))},
        )

    def error_costs(self) -> dict[str, float]:
        """Kind of error to the AP50 it costs, among detections of any score."""
        return self.errors().costs

    def errors(self) -> ErrorCosts:
        """Errors among detections of any score, and what they cost."""
        return error_costs(
            self._truth,
            self._detections,
            pairs=self.evaluation.pairs,
            match=self.evaluation.matches(),
            labels=len(self._labels),
        )

    def curve(self) -> Curve:
        """Precision and recall of all classes together, by score, at IoU 0.5."""
        alone = np.flatnonzero(~self._aside)
        return Curve.of(
            self._detections.score[alone],
            self._match[alone] >= 0,
            objects=int(self._single.sum()),
        )

    def _counted(self) -> NDArray[np.bool_]:
        """(detections,) mask of the operating point, without those of crowds."""
        out: NDArray[np.bool_] = (self._detections.score >= self._score) & ~self._aside
        return out


def _known(values: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _at(values: NDArray[Any], rows: NDArray[np.int64], kind: pa.DataType) -> pa.Array:
    """The values at these rows; null where a row is -1."""
    return pa.array(values).cast(kind).take(pa.array(rows, mask=rows < 0))


def _measures(
    *,
    label: str | None,
    precisions: NDArray[np.float64],
    counts: tuple[int, int, int],
    images: int,
) -> list[Measure]:
    """The metrics of one class or of all.

    Args:
        label: the class, or None.
        precisions: (classes with ground truth, 10) average precision.
        counts: detections that match, detections, objects.
        images: images behind the numbers.
    """
    found, detected, objects = counts
    values = {
        "AP": defined(precisions.mean()) if objects else None,
        "AP50": defined(precisions[:, IOU_50].mean()) if objects else None,
        "AP75": defined(precisions[:, IOU_75].mean()) if objects else None,
        "recall": ratio(found, objects),
        "precision": ratio(found, detected),
        "f1": ratio(2 * found, objects + detected),
    }
    return [Measure(label, metric, value, images, objects) for metric, value in values.items()]
