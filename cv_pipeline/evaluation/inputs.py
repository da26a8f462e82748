"""Ground truth and predictions as arrays, or an EvaluationError that says why they do not fit.

What comes out is complete: every image and class is known, every score is between 0 and 1, every
box is finite and not inverted. Boxes that reach outside their image are used as they are.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas.annotations import ANNOTATIONS, KINDS_OF_TASK
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.errors import EvaluationError, nearest
from cv_pipeline.evaluation.classification.answers import Answers
from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.project import Task

MAX_SCORES = 100_000_000
"""Scores of images × classes that are held in memory, for calibration and the like."""

_EDGES = ("x_min", "y_min", "x_max", "y_max")


def detection_inputs(
    *, images: pa.Table, annotations: pa.Table, predictions: pa.Table, labels: tuple[str, ...]
) -> tuple[Boxes, Detections]:
    """Boxes and detections of these images.

    Args:
        images: column image_id, distinct; its row number becomes the index of the image.
        annotations: schema ANNOTATIONS; the bounds of its objects are the ground truth, with the
            attribute iscrowd around crowds.
        predictions: schema PREDICTIONS.
        labels: classes; the position becomes the index.

    Returns:
        Ground truth in the order of ``annotations``, and detections by image, descending score
        and rank.

    Raises:
        EvaluationError: they do not fit together.
    """
    truth = _ground_truth(annotations, task="detection")
    found = _columns(predictions, PREDICTIONS, name="The predictions")
    image, label = _indices(found, images, labels, name="predictions")
    score, rank = _scores(found), _ranks(found, image)
    boxes = _boxes(found, name="predictions")
    order = np.lexsort((rank, -score, image))
    true_image, true_label = _indices(truth, images, labels, name="annotations")
    crowd = pc.match_substring_regex(truth["attributes"], r'"iscrowd":\s*true')
    return (
        Boxes(
            true_image,
            true_label,
            _boxes(truth, name="annotations"),
            crowd=_flags(crowd),
            key=truth["annotation_id"].to_numpy(),
        ),
        Detections(image, label, boxes, score, key=rank).take(order),
    )


def classification_inputs(
    *, images: pa.Table, annotations: pa.Table, predictions: pa.Table, labels: tuple[str, ...]
) -> tuple[Answers, NDArray[np.bool_]]:
    """True and predicted classes of these images.

    Args:
        images: column image_id, distinct.
        annotations: schema ANNOTATIONS; rows of kind class are the ground truth.
        predictions: schema PREDICTIONS; the highest score of an image is its answer, the lowest
            rank among equals.
        labels: classes; the position becomes the index.

    Returns:
        Answers of the images that have a label, in the order of ``images``, and the mask of those
        images; without the scores of every class where those are over MAX_SCORES.

    Raises:
        EvaluationError: they do not fit together, or an image has several labels.
    """
    truth = _ground_truth(annotations, task="classification")
    true_image, true_label = _indices(truth, images, labels, name="annotations")
    count = np.bincount(true_image, minlength=len(images))
    _refuse(
        count > 1,
        images["image_id"],
        "images have several labels where classification expects one",
        do="Set annotations.aggregation in project.yaml and make a new dataset version.",
    )
    truth_of = np.zeros(len(images), dtype=np.int64)
    truth_of[true_image] = true_label

    found = _columns(predictions, PREDICTIONS, name="The predictions")
    image, label = _indices(found, images, labels, name="predictions")
    score, rank = _scores(found), _ranks(found, image)
    _refuse(
        _repeated(image * len(labels) + label),
        found["image_id"],
        "predictions score a class that their image already has a score for",
        do="Write each prediction once.",
    )
    # Written in ascending order of merit: the last to be written to an image is its answer.
    order = np.lexsort((-rank, score, image))
    image, label, score = image[order], label[order], score[order]
    predicted = np.full(len(images), len(labels), dtype=np.int64)
    confidence = np.full(len(images), np.nan)
    truth_score = np.zeros(len(images))
    predicted[image] = label
    confidence[image] = score
    true = label == truth_of[image]
    truth_score[image[true]] = score[true]
    scores = None
    if len(images) * len(labels) <= MAX_SCORES:
        scores = np.zeros((len(images), len(labels)))
        scores[image, label] = score
    labelled = count == 1
    answers = Answers(truth_of, predicted, confidence, truth_score, scores)
    return answers.take(labelled), labelled


def outside_frame(predictions: pa.Table, images: pa.Table) -> int:
    """How many predicted boxes reach more than a pixel outside their image.

    Args:
        predictions: schema PREDICTIONS.
        images: columns image_id, width and height in pixels.
    """
    where = pc.index_in(predictions["image_id"], value_set=images["image_id"].combine_chunks())
    x_min, y_min, x_max, y_max = (_numbers(predictions[e]) for e in _EDGES)
    width, height = (_numbers(images[side].take(where)) for side in ("width", "height"))
    outside = (x_min < -1) | (y_min < -1) | (x_max > width + 1) | (y_max > height + 1)
    return int(outside.sum())


def _ground_truth(annotations: pa.Table, *, task: Task) -> pa.Table:
    rows = _columns(annotations, ANNOTATIONS, name="The annotations")
    return rows.filter(pc.is_in(rows["kind"], value_set=pa.array(KINDS_OF_TASK[task])))


def _columns(table: pa.Table, schema: pa.Schema, *, name: str) -> pa.Table:
    missing = [f.name for f in schema if f.name not in table.schema.names]
    if missing:
        raise EvaluationError(
            f"{name} lack the column {', '.join(missing)}.", do="Write them anew."
        )
    try:
        # Nulls are refused below, where the row can be named.
        return table.select(schema.names).cast(pa.schema([f.with_nullable(True) for f in schema]))
    except pa.ArrowInvalid as error:
        raise EvaluationError(
            f"{name} have a column of the wrong type: {error}.", do="Write them anew."
        ) from error


def _indices(
    rows: pa.Table, images: pa.Table, labels: tuple[str, ...], *, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows,) indices of image and of class; an EvaluationError where one is unknown."""
    image = pc.index_in(rows["image_id"], value_set=images["image_id"].combine_chunks())
    _refuse(
        _flags(pc.is_null(image)),
        rows["image_id"],
        f"{name} are of images that the dataset version does not hold",
        do="Predict this very dataset version.",
    )
    label = pc.index_in(rows["label"], value_set=pa.array(labels, pa.string()))
    unknown = rows["label"].filter(pc.is_null(label)).unique().sort().to_pylist()
    if unknown:
        raise EvaluationError(
            f"The {name} have labels that are not among the project's classes:"
            f" {', '.join(map(repr, unknown[:5]))}.",
            do=nearest(unknown[0], labels),
        )
    return (
        image.to_numpy().astype(np.int64),
        label.to_numpy().astype(np.int64),
    )


def _scores(predictions: pa.Table) -> NDArray[np.float64]:
    score = _numbers(predictions["score"])
    _refuse(
        ~((score >= 0) & (score <= 1)),  # true for NaN
        predictions["image_id"],
        "predictions have a score that is not between 0 and 1",
        do="Look at the loss in the training run: such scores come from a model that diverged.",
    )
    return score


def _ranks(predictions: pa.Table, image: NDArray[np.int64]) -> NDArray[np.int64]:
    rank: NDArray[np.int64] = predictions["rank"].to_numpy().astype(np.int64)
    order = np.lexsort((rank, image))
    same = (np.diff(image[order]) == 0) & (np.diff(rank[order]) == 0)
    twice = np.zeros(len(rank), dtype=bool)
    twice[order[1:][same]] = True
    _refuse(
        twice,
        predictions["image_id"],
        "predictions repeat the rank of another of their image",
        do="Write each prediction once.",
    )
    return rank


def _repeated(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) whether an earlier row has the same value."""
    order = np.argsort(values, kind="stable")
    out = np.zeros(len(values), dtype=bool)
    out[order[1:][np.diff(values[order]) == 0]] = True
    return out


def _boxes(rows: pa.Table, *, name: str) -> NDArray[np.float64]:
    xyxy = np.column_stack([_numbers(rows[edge]) for edge in _EDGES])
    x_min, y_min, x_max, y_max = xyxy.T
    _refuse(
        ~np.isfinite(np.abs(xyxy).max(axis=1)),
        rows["image_id"],
        f"{name} lack a box, or have one with an edge that is not finite",
        do="A detection project needs x_min, y_min, x_max and y_max in pixels.",
    )
    _refuse(
        (x_max < x_min) | (y_max < y_min),
        rows["image_id"],
        f"{name} have an inverted box",
        do="Boxes are x_min, y_min, x_max, y_max, not x, y, width, height.",
    )
    return xyxy


def _refuse(bad: NDArray[np.bool_], image_ids: pa.ChunkedArray, what: str, *, do: str) -> None:
    """Raise an EvaluationError that counts the bad rows and names the image of the first."""
    if bad.any():
        first = image_ids[int(np.argmax(bad))].as_py()
        raise EvaluationError(
            f"{int(bad.sum())} of {len(bad)} {what}, the first for image {str(first)[:16]}.", do=do
        )


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    out: NDArray[np.float64] = column.to_numpy().astype(np.float64)
    return out


def _flags(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    out: NDArray[np.bool_] = column.to_numpy().astype(bool)
    return out
