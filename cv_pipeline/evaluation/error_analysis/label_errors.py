"""Labels that are likely to be wrong, apart from what the model gets wrong.

Only images that the model has not learnt from are looked at, for a model agrees with the errors
that it was taught.

Classification: confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating
Uncertainty in Dataset Labels", JAIR 2021) by the cleanlab library. Detection: a prediction
disagrees with the labels, and the model is at least as sure of it as it is, on the mean, of its
right predictions of that class: confident learning's own threshold, on boxes, with the three kinds
of error of ObjectLab (Tkachenko, Thyagarajan and Mueller, 2023): an object of another class, an
object that nobody labelled, a box that is badly placed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas.label_errors import LABEL_ERRORS
from cv_pipeline.evaluation.detection.error_kinds import (
    BACKGROUND,
    CLASSIFICATION,
    CORRECT,
    LOCALISATION,
)

ISSUES = {
    CLASSIFICATION: "wrong_class",
    BACKGROUND: "missing_object",
    LOCALISATION: "bad_box",
}
LEARNT_FROM = "train"
_LEAST_RIGHT = 5
"""Right predictions of a class below which their mean score says too little."""


def detection_label_errors(matches: pa.Table) -> pa.Table:
    """Likely errors in boxes and their classes.

    Args:
        matches: schema MATCHES.

    Returns:
        Schema LABEL_ERRORS, by score from the highest.
    """
    rows = matches.filter(pc.not_equal(matches["split"], LEARNT_FROM))
    right = rows.filter(pc.equal(rows["kind"], CORRECT))
    sure = right.group_by("predicted").aggregate([("score", "mean"), ("score", "count")])
    sure = sure.filter(pc.greater_equal(sure["score_count"], _LEAST_RIGHT))
    doubtful = rows.filter(pc.is_in(rows["kind"], value_set=pa.array(list(ISSUES))))
    where = pc.index_in(doubtful["predicted"], value_set=sure["predicted"].combine_chunks())
    limit = sure["score_mean"].combine_chunks().take(where)
    doubtful = doubtful.filter(
        pc.fill_null(pc.greater_equal(doubtful["score"].combine_chunks(), limit), False)
    )
    kinds = pa.array(list(ISSUES))
    issues = pa.array(list(ISSUES.values())).take(pc.index_in(doubtful["kind"], value_set=kinds))
    table = pa.table(
        {
            "image_id": doubtful["image_id"],
            "split": doubtful["split"],
            "issue": issues,
            "given": doubtful["truth"],
            "suggested": doubtful["predicted"],
            "score": doubtful["score"],
            "iou": doubtful["iou"],
            "annotation_id": doubtful["annotation_id"],
            "rank": doubtful["rank"],
        }
    )
    return _sorted(table)


def classification_label_errors(
    per_image: pa.Table, predictions: pa.Table, *, labels: Sequence[str]
) -> pa.Table:
    """Likely errors in the classes of images.

    Args:
        per_image: schema PER_IMAGE.
        predictions: schema PREDICTIONS: the scores of an image's classes; one that is not listed
            counts as 0, and scores are scaled to sum to 1.
        labels: classes.

    Returns:
        Schema LABEL_ERRORS, the likeliest first: cleanlab's order, by the score of the label that
        was given.
    """
    rows = per_image.filter(
        pc.and_(pc.not_equal(per_image["split"], LEARNT_FROM), pc.is_valid(per_image["predicted"]))
    )
    names = pa.array(labels, pa.string())
    given = pc.index_in(rows["truth"], value_set=names).to_numpy().astype(np.int64)
    if len(np.unique(given)) < 2:
        return LABEL_ERRORS.empty_table()
    probabilities = _probabilities(rows["image_id"], predictions, names)
    from cleanlab.filter import find_label_issues

    order = find_label_issues(
        given,
        probabilities,
        return_indices_ranked_by="self_confidence",
        filter_by="confident_learning",
        n_jobs=1,
    )
    best = probabilities[order].argmax(axis=1)
    chosen = rows.take(pa.array(order, pa.int64()))
    none = len(order)
    return pa.table(
        {
            "image_id": chosen["image_id"],
            "split": chosen["split"],
            "issue": pa.repeat("wrong_class", none),
            "given": chosen["truth"],
            "suggested": names.take(pa.array(best, pa.int64())),
            "score": probabilities[order, best],
            "iou": pa.nulls(none, pa.float64()),
            "annotation_id": pa.nulls(none, pa.string()),
            "rank": pa.nulls(none, pa.int32()),
        }
    ).cast(LABEL_ERRORS)


def _probabilities(
    image_ids: pa.ChunkedArray, predictions: pa.Table, labels: pa.Array
) -> NDArray[np.float64]:
    """(images, classes) scores, each row scaled to sum to 1."""
    image = pc.index_in(predictions["image_id"], value_set=image_ids.combine_chunks())
    label = pc.index_in(predictions["label"], value_set=labels)
    known = pc.and_(pc.is_valid(image), pc.is_valid(label)).to_numpy()
    out = np.zeros((len(image_ids), len(labels)))
    index = [c.fill_null(0).to_numpy().astype(np.int64)[known] for c in (image, label)]
    out[index[0], index[1]] = predictions["score"].to_numpy()[known]
    total = out.sum(axis=1, keepdims=True)
    even = np.full_like(out, 1 / len(labels))
    np.divide(out, total, out=even, where=total > 0)
    return even


def _sorted(table: pa.Table) -> pa.Table:
    order = [("score", "descending"), ("image_id", "ascending"), ("rank", "ascending")]
    return table.cast(LABEL_ERRORS).sort_by(order)
