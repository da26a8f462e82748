"""Metrics of predictions against ground truth, for one set of images.

Works on plain tables, without a project or a dataset version. The conventions behind the numbers
come with them: thresholds, areas, how many detections count, classes without ground truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cv_pipeline.evaluation.classification.scorer import ClassificationScorer
from cv_pipeline.evaluation.classification.summary import CONVENTIONS
from cv_pipeline.evaluation.detection import summary, voc
from cv_pipeline.evaluation.detection.coco import IOU_THRESHOLDS, MAX_DETECTIONS
from cv_pipeline.evaluation.detection.error_costs import MAX_PER_IMAGE
from cv_pipeline.evaluation.detection.intervals import RESAMPLING
from cv_pipeline.evaluation.detection.scorer import DEFAULT_SCORE, DetectionScorer
from cv_pipeline.evaluation.inputs import classification_inputs, detection_inputs
from cv_pipeline.evaluation.measure import Measure

CLASSIFICATION_CONVENTIONS = {
    **CONVENTIONS,
    "accuracy": "share of the labelled images whose highest-scored class is the true one",
    "recall": "of all classes together: mean recall over those classes",
    "classes_without_ground_truth": "left out of the means; predicting one counts as wrong",
    "images_without_label": "left out",
    "undefined": "no value: without labelled images there is no metric",
    "temperature": "divides the logarithms of the scores; fitted on val by log loss, and tried on"
    " the headline split (Guo et al. 2017)",
}


@dataclass(frozen=True)
class Metrics:
    """The metrics of one set of images.

    Attributes:
        overall: metric to value, 0 to 1, over all classes; a metric that is not defined is absent.
        classes: class to its metrics; classes without ground truth are absent.
        images: images evaluated.
        objects: ground-truth objects; labels, for classification.
        conventions: what the numbers mean, in words.
    """

    overall: dict[str, float]
    classes: dict[str, dict[str, float]]
    images: int
    objects: int
    conventions: dict[str, str]


def detection_metrics(
    annotations: pa.Table,
    predictions: pa.Table,
    *,
    images: pa.Table,
    labels: tuple[str, ...],
    score: float = DEFAULT_SCORE,
) -> Metrics:
    """COCO's AP, AP50 and AP75, with recall and precision at one score.

    Args:
        annotations: schema ANNOTATIONS; rows of kind bbox are the ground truth.
        predictions: schema PREDICTIONS.
        images: column image_id: all that were predicted, also those without objects.
        labels: classes.
        score: score from which upwards a detection counts in recall and precision.

    Raises:
        EvaluationError: an image or class is unknown, a score is not between 0 and 1, or a box is
            missing, not finite or inverted.
    """
    truth, detections = detection_inputs(
        images=images, annotations=annotations, predictions=predictions, labels=labels
    )
    scorer = DetectionScorer(truth, detections, images=len(images), labels=labels, score=score)
    return _metrics(scorer.measure(np.arange(len(images))), detection_conventions(f"{score:g}"))


def classification_metrics(
    annotations: pa.Table, predictions: pa.Table, *, images: pa.Table, labels: tuple[str, ...]
) -> Metrics:
    """Accuracy, macro F1, mean recall and precision; recall, precision and F1 of each class.

    Args:
        annotations: schema ANNOTATIONS; rows of kind class are the ground truth.
        predictions: schema PREDICTIONS; the highest score of an image is its answer.
        images: column image_id; those without a label are left out.
        labels: classes.

    Raises:
        EvaluationError: an image or class is unknown, a score is not between 0 and 1, or an image
            has several labels.
    """
    answers, labelled = classification_inputs(
        images=images, annotations=annotations, predictions=predictions, labels=labels
    )
    measures = ClassificationScorer(answers, labels=labels).measure(np.arange(labelled.sum()))
    return _metrics(measures, CLASSIFICATION_CONVENTIONS)


def detection_conventions(operating_point: str) -> dict[str, str]:
    """What the numbers of a detection mean.

    Args:
        operating_point: the score from which upwards detections count, in words.
    """
    low = IOU_THRESHOLDS[0]
    return {
        **summary.CONVENTIONS,
        **voc.CONVENTIONS,
        "matching": "by descending score within image and class, each object once; boxes are"
        " float64 and not clipped to the image",
        "area": "width × height of the box; without s, m or l boxes of every size count",
        "crowds": "objects with the attribute iscrowd are none; detections on them, by the share of"
        " the detection that is covered, are neither right nor wrong",
        "intervals": f"95 %, from {RESAMPLING.resamples} seeded bootstrap samples of the images:"
        " basic for AP, whose bias on few images it takes out, percentiles for AR; of recall,"
        " precision and f1 Wilson's, of the objects divided by the design effect",
        "errors": "kinds by TIDE (Bolya et al. 2020), thresholds 0.5 and 0.1, counted at the"
        " operating point; the cost is its dAP at IoU 0.50, among detections of any score, at most"
        f" {MAX_PER_IMAGE} an image",
        "max_detections": f"the {MAX_DETECTIONS} highest-scored per image and class",
        "operating_point": "recall, precision, F1, per-image results and confusion count detections"
        f" of score ≥ {operating_point}, at IoU {low:.2f}",
        "classes_without_ground_truth": "left out of the means of AP; their detections are false"
        " positives in precision, per-image results and confusion",
        "images_without_prediction": "count: their objects are missed",
        "images_without_object": "count: detections on them are false positives",
        "undefined": "no value: without ground truth there is no AP and no recall, without"
        " detections no precision",
    }


def _metrics(measures: list[Measure], conventions: dict[str, str]) -> Metrics:
    overall: dict[str, float] = {}
    classes: dict[str, dict[str, float]] = {}
    for m in measures:
        if m.value is not None:
            target = overall if m.label is None else classes.setdefault(m.label, {})
            target[m.metric] = m.value
    return Metrics(
        overall=overall,
        classes=classes,
        images=measures[0].images,
        objects=measures[0].objects,
        conventions=dict(conventions),
    )
