"""What two evaluations say of the images that they share, in one order and with one set of classes.

Either side is scored against the labels of its own dataset version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.evaluation import Evaluation
from cv_pipeline.evaluation.inputs import detection_inputs
from cv_pipeline.evaluation.measure import Counts
from cv_pipeline.evaluation.predicted import read_predicted


@dataclass(frozen=True)
class Side:
    """A model to compare.

    Attributes:
        evaluation: of the model.
        dataset: folder of the dataset version that it is of; with ``predictions``, detections are
            compared by average precision and by class too.
        predictions: folder of the predictions that it is of.
        costs: cost to value, such as those of ``cv_pipeline.requirement.COSTS``.
    """

    evaluation: Evaluation
    dataset: Path | None = None
    predictions: Path | None = None
    costs: Mapping[str, float] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """Digest of the model."""
        return self.evaluation.record.model


@dataclass(frozen=True, eq=False)
class Shared:
    """The images of two evaluations' headline split that are in both.

    Attributes:
        split: its name.
        image_ids: the images, sorted.
        before: schema PER_IMAGE of the first evaluation, in their order.
        after: of the second.
        only_before: images that the first alone has.
        only_after: that the second alone has.
    """

    split: str
    image_ids: pa.Array
    before: pa.Table
    after: pa.Table
    only_before: int
    only_after: int

    @property
    def images(self) -> int:
        """How many they are."""
        return len(self.image_ids)


def shared_images(before: Evaluation, after: Evaluation) -> Shared:
    """The images that two evaluations share.

    Raises:
        EvaluationError: they are of two tasks or splits, or share no image.
    """
    first, second = before.record, after.record
    if first.task != second.task:
        raise EvaluationError(
            f"One model is for {first.task}, the other for {second.task}.",
            do="Compare two models of one task.",
        )
    if first.split != second.split:
        raise EvaluationError(
            f"One evaluation is of the split {first.split}, the other of {second.split}.",
            do="Label some images of the test split in both dataset versions, and evaluate again.",
        )
    rows = [_of_split(e) for e in (before, after)]
    in_both = pc.is_in(rows[0]["image_id"], value_set=rows[1]["image_id"].combine_chunks())
    kept = rows[0].filter(in_both)
    if len(kept) == 0:
        raise EvaluationError(
            f"The evaluations {first.digest[:12]} and {second.digest[:12]} share no image of"
            f" {first.split}.",
            do="Evaluate both models on one dataset version: cvp run PROJECT --select"
            " predictions,eval_slices",
        )
    image_ids = kept["image_id"].combine_chunks()
    where = pc.index_in(image_ids, value_set=rows[1]["image_id"].combine_chunks())
    return Shared(
        split=first.split,
        image_ids=image_ids,
        before=kept,
        after=rows[1].take(where),
        only_before=len(rows[0]) - len(kept),
        only_after=len(rows[1]) - len(kept),
    )


def _of_split(evaluation: Evaluation) -> pa.Table:
    rows = evaluation.per_image
    return rows.filter(pc.equal(rows["split"], evaluation.record.split)).sort_by("image_id")


def all_labels(before: Evaluation, after: Evaluation) -> tuple[str, ...]:
    """The classes of both: those of the second, then what the first has beside them."""
    return tuple(dict.fromkeys((*after.record.labels, *before.record.labels)))


def answer_codes(
    rows: pa.Table, labels: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(images,) true and predicted class of each image; the number of classes for none.

    Args:
        rows: schema PER_IMAGE, of classification.
        labels: classes.
    """
    known = pa.array(labels, pa.string())
    truth, predicted = (
        pc.index_in(rows[name].combine_chunks(), value_set=known)
        .fill_null(len(labels))
        .to_numpy()
        .astype(np.int64)
        for name in ("truth", "predicted")
    )
    return truth, predicted


def answer_counts(rows: pa.Table, labels: tuple[str, ...]) -> Counts:
    """Labels, predictions and hits of classification, by image and class."""
    truth, predicted = answer_codes(rows, labels)
    answered = np.flatnonzero(predicted < len(labels))
    return Counts.of(
        objects=(np.arange(len(truth)), truth),
        predicted=(answered, predicted[answered]),
        right=(truth == predicted)[answered],
        labels=len(labels),
    )


def object_counts(rows: pa.Table) -> Counts:
    """Objects, predictions and hits of detection by image, of all classes as one."""
    found, wrong, objects = (
        rows[name].to_numpy() for name in ("true_positives", "false_positives", "objects")
    )
    images = np.arange(len(rows))
    return Counts(images, np.zeros_like(images), objects, found, found + wrong)


def boxes_of(
    side: Side, image_ids: pa.Array, labels: tuple[str, ...]
) -> tuple[Boxes, Detections] | None:
    """Objects and detections of some images, in their order; None where the folders are not given.

    Raises:
        EvaluationError: the folders cannot be read, or are not those of the evaluation.
    """
    if side.dataset is None or side.predictions is None:
        return None
    source = read_predicted(dataset=side.dataset, predictions=side.predictions)
    record = side.evaluation.record
    if (source.dataset, source.digest) != (record.dataset, record.predictions):
        raise EvaluationError(
            f"The predictions {source.digest[:12]} are not those of the evaluation"
            f" {record.digest[:12]}.",
            do=f"Give the folder of the predictions {record.predictions[:12]}.",
        )
    return detection_inputs(
        images=pa.table({"image_id": image_ids}),
        annotations=_of_images(source.annotations, image_ids),
        predictions=_of_images(source.predictions, image_ids),
        labels=labels,
    )


def _of_images(rows: pa.Table, image_ids: pa.Array) -> pa.Table:
    return rows.filter(pc.is_in(rows["image_id"], value_set=image_ids))
