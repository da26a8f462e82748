"""Every number of detections in COCO's files: what ``cvp check detections`` says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.evaluation.detection import summary, voc
from cv_pipeline.evaluation.detection.coco import IOU_50, MAX_DETECTIONS
from cv_pipeline.evaluation.detection.coco_files import CocoInput, IouType, read_coco
from cv_pipeline.evaluation.detection.error_costs import ErrorCosts
from cv_pipeline.evaluation.detection.intervals import RESAMPLING
from cv_pipeline.evaluation.detection.scorer import DetectionScorer
from cv_pipeline.evaluation.measure import Interval, WholeMetrics

AT_BEST_F1 = ("precision", "recall", "f1")
CLASS_METRICS = (*summary.METRICS, *voc.METRICS)


@dataclass(frozen=True, eq=False)
class FileCheck:
    """What was measured.

    Attributes:
        metrics: COCO's twelve numbers, VOC's two, and precision, recall and F1 at the operating
            point; None for one that is not defined.
        classes: class to its metrics, and its objects and detections.
        errors: kinds of error, by TIDE.
        intervals: metric to its 95 % interval.
        class_intervals: class to AP, AP50 and AP75 to the same.
        operating_point: score of the best F1 over all classes; None where nothing is found.
        operating_points: scores to choose from, with their precision and recall.
        curve: schema CURVES but for split.
        confusion: schema CONFUSION but for split, at the operating point.
        images: images of the ground truth.
        objects: objects that count, without crowds.
        detections: predictions.
        notes: sentences on what is unusual.
        conventions: what the numbers mean, in words.
    """

    metrics: dict[str, float | None]
    classes: dict[str, dict[str, float | int | None]]
    errors: ErrorCosts
    intervals: dict[str, Interval]
    class_intervals: dict[str, dict[str, Interval]]
    operating_point: float | None
    operating_points: dict[str, dict[str, float]]
    curve: pa.Table
    confusion: pa.Table
    images: int
    objects: int
    detections: int
    notes: tuple[str, ...]
    conventions: dict[str, str]

    def values(self) -> dict[str, float]:
        """Metric, ``class/metric`` and kind of error's cost to value; those that are defined."""
        known: dict[str, float | int | None] = dict(self.metrics)
        for label, metrics in self.classes.items():
            known |= {f"{label}/{metric}": metrics[metric] for metric in CLASS_METRICS}
        known |= {f"error_kinds/{kind}": cost for kind, cost in self.errors.costs.items()}
        return {name: value for name, value in known.items() if value is not None}

    def known(self) -> list[str]:
        """Every name that could have a value."""
        of_classes = [f"{label}/{metric}" for label in self.classes for metric in CLASS_METRICS]
        return [*self.metrics, *of_classes]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values, COCO's numbers at the top."""
        return {
            **self.metrics,
            "intervals": _plain(self.intervals),
            "per_class": {
                label: {**values, "intervals": _plain(self.class_intervals.get(label, {}))}
                for label, values in self.classes.items()
            },
            "error_kinds": {
                kind: {"count": self.errors.counts.get(kind), "dAP": self.errors.costs.get(kind)}
                for kind in dict.fromkeys([*self.errors.counts, *self.errors.costs])
            },
            "operating_point": self.operating_point,
            "operating_points": self.operating_points,
            "precision_recall": self.curve.filter(pc.field("label").is_null())
            .drop_columns(["label"])
            .to_pylist(),
            "confusion": self.confusion.to_pylist(),
            "images": self.images,
            "objects": self.objects,
            "detections": self.detections,
            "notes": list(self.notes),
            "conventions": self.conventions,
        }


def _plain(intervals: dict[str, Interval]) -> dict[str, dict[str, float]]:
    return {metric: asdict(interval) for metric, interval in intervals.items()}


def check_files(ground_truth: Path, predictions: Path, *, iou_type: IouType = "bbox") -> FileCheck:
    """Measure detections in COCO's files.

    Args:
        ground_truth: COCO's instances file.
        predictions: COCO's result file.
        iou_type: whether boxes or masks are compared.

    Raises:
        EvaluationError: a file cannot be read, or they do not fit together.
    """
    read = read_coco(ground_truth, predictions, iou_type=iou_type)
    detections, pairs = read.strongest(MAX_DETECTIONS)
    scorer = DetectionScorer(
        read.truth, detections, images=len(read.image_ids), labels=read.labels, pairs=pairs
    )
    points = scorer.curve().operating_points()
    best = points.get("best_f1")
    scorer = scorer.at(best["score"] if best else np.inf)
    whole = scorer.whole()
    metrics: dict[str, float | None] = {m: whole.overall.get(m) for m in CLASS_METRICS}
    metrics |= {metric: best[metric] if best else None for metric in AT_BEST_F1}
    return FileCheck(
        metrics=metrics,
        classes=_classes(read, whole),
        errors=scorer.errors(),
        intervals=scorer.intervals(),
        class_intervals=scorer.class_intervals(),
        operating_point=best["score"] if best else None,
        operating_points=points,
        curve=scorer.curves(),
        confusion=scorer.confusion(),
        images=len(read.image_ids),
        objects=int((~read.truth.crowd).sum()),
        detections=len(read.detections),
        notes=(*read.notes, *_notes(read, kept=len(detections))),
        conventions=_conventions(iou_type),
    )


def _classes(read: CocoInput, whole: WholeMetrics) -> dict[str, dict[str, float | int | None]]:
    size = len(read.labels)
    objects = np.bincount(read.truth.label[~read.truth.crowd], minlength=size)
    said = np.bincount(read.detections.label, minlength=size)
    return {
        label: {
            **{metric: whole.classes.get(label, {}).get(metric) for metric in CLASS_METRICS},
            "objects": int(objects[k]),
            "detections": int(said[k]),
        }
        for k, label in enumerate(read.labels)
    }


def _notes(read: CocoInput, *, kept: int) -> list[str]:
    notes = []
    if kept < len(read.detections):
        notes.append(
            f"{len(read.detections) - kept} of {len(read.detections)} predictions are beyond the"
            f" {MAX_DETECTIONS} highest-scored of their image and class, and do not count."
        )
    objects = np.bincount(read.truth.label[~read.truth.crowd], minlength=len(read.labels))
    absent = [read.labels[k] for k in np.flatnonzero(objects == 0)]
    if absent:
        shown = ", ".join(absent[:12]) + (", …" if len(absent) > 12 else "")
        notes.append(f"Without ground truth, and so left out of the means: {shown}.")
    return notes


def _conventions(iou_type: IouType) -> dict[str, str]:
    what = "width × height of boxes" if iou_type == "bbox" else "pixels of masks"
    return {
        **summary.CONVENTIONS,
        **voc.CONVENTIONS,
        "iou": "of boxes, float64 and not clipped to the image"
        if iou_type == "bbox"
        else "of masks",
        "area": f"the annotation's area, else {what}; of detections, {what}",
        "crowds": "ignored: a detection of one, by the share of the detection that is covered, is"
        " neither right nor wrong",
        "max_detections": f"the {MAX_DETECTIONS} highest-scored per image and class; for"
        " error_kinds, of an image",
        "classes_without_ground_truth": "null, and left out of the means",
        "operating_point": f"precision, recall and F1 are at the score of the best F1 at IoU"
        f" {0.5 + 0.05 * IOU_50:.2f} over all classes",
        "error_kinds": "TIDE (Bolya et al. 2020) as tidecv, IoU 0.5 and 0.1, over detections of any"
        " score; dAP is the AP50 gained if all errors of a kind were mended",
        "intervals": f"95 %, from {RESAMPLING.resamples} seeded bootstrap samples of the images:"
        " basic for AP, whose bias on few images it takes out, percentiles for AR; of recall,"
        " precision and f1 Wilson's, of the objects divided by the design effect",
        "undefined": "null",
    }
