"""The images behind the cells of a confusion: as many rows of a cell as the confusion counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.errors import EvaluationError, nearest
from cv_pipeline.evaluation.detection.scorer import DetectionScorer
from cv_pipeline.evaluation.error_analysis.mistakes import NOTHING
from cv_pipeline.evaluation.evaluation import Evaluation
from cv_pipeline.evaluation.inputs import detection_inputs
from cv_pipeline.evaluation.predicted import read_predicted

_COLUMNS = ["image_id", "truth", "predicted", "score"]


def confused(made: Evaluation, *, split: str, dataset: Path, predictions: Path) -> pa.Table:
    """What the confusion of a split counts, the most confident first; objects come last.

    A detection's is matched again, as it was when it was counted: which detection was held for
    which object is not kept.

    Args:
        made: the evaluation.
        split: train, val or test.
        dataset: folder of the dataset version.
        predictions: folder of the predictions.

    Returns:
        Columns image_id, truth, predicted (null for none) and score (null for objects).

    Raises:
        EvaluationError: the split was not evaluated, or the folders cannot be read.
    """
    record = made.record
    if split not in record.images:
        raise EvaluationError(
            f"The split {split!r} was not evaluated.", do=nearest(split, list(record.images))
        )
    if record.task != "detection":
        rows = made.matches.filter(pc.equal(made.matches["split"], split)).select(_COLUMNS)
    else:
        rows = _detections(made, split, dataset, predictions)
    return rows.sort_by([("score", "descending"), ("image_id", "ascending")])


def of_cell(rows: pa.Table, *, truth: str | None, predicted: str | None) -> pa.Table:
    """The rows of :func:`confused` of a cell, a row or a column; ``none`` is no class.

    Args:
        rows: columns truth and predicted.
        truth: true class; None for any.
        predicted: predicted class; None for any.
    """
    for column, name in (("truth", truth), ("predicted", predicted)):
        if name is not None:
            wanted = pc.is_null(rows[column]) if name == NOTHING else pc.equal(rows[column], name)
            rows = rows.filter(pc.fill_null(wanted, False))
    return rows


def _detections(made: Evaluation, split: str, dataset: Path, predictions: Path) -> pa.Table:
    record = made.record
    source = read_predicted(dataset=dataset, predictions=predictions)
    truth, found = detection_inputs(
        images=source.images,
        annotations=source.annotations,
        predictions=source.predictions,
        labels=record.labels,
    )
    inside = np.asarray(source.images["split"].to_numpy() == split, dtype=bool)
    assert record.operating_point is not None
    rows = DetectionScorer(
        truth.of_images(inside),
        found.of_images(inside),
        images=int(inside.sum()),
        labels=record.labels,
        score=record.operating_point,
    ).confused()
    image_ids = source.images["image_id"].filter(pa.array(inside)).combine_chunks()
    return rows.append_column("image_id", image_ids.take(rows["image"])).select(_COLUMNS)
