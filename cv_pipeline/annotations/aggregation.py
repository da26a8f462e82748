"""From several annotators on one image to the labels that a dataset uses.

The result is always a subset of the rows that came in, so every label of a dataset leads back to
one annotation of one person. It does not depend on the order of the rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.errors import AnnotationError, nearest
from cv_pipeline.project import Task

_KINDS: dict[Task, str] = {"detection": "bbox", "classification": "class"}


def aggregate(rows: pa.Table, *, task: Task, how: str) -> pa.Table:
    """Choose the labels of each image.

    ``latest`` takes everything of the annotator who last changed something on the image; where
    no times are known, or they are equal, of the one whose name sorts first. ``majority``
    (classification) gives each annotator one vote, their latest; the label with the most votes
    wins, a tie goes to the label among whose voters is the annotator whose name sorts first, and
    that annotator's row stands for it. With ``latest``, classification keeps one row an image too.

    Args:
        rows: ``ANNOTATIONS``; those of the other task's kind are left out.
        task: ``detection`` or ``classification``.
        how: ``latest`` or ``majority``.

    Returns:
        ``ANNOTATIONS``, sorted by ``image_id`` and ``annotation_id``.

    Raises:
        AnnotationError: ``how`` is unknown, or a majority of boxes is asked for.
    """
    if how not in ("latest", "majority"):
        raise AnnotationError(
            f"There is no aggregation {how!r}.", do=nearest(how, ("latest", "majority"))
        )
    if how == "majority" and task == "detection":
        raise AnnotationError(
            "A majority vote needs one label an image: boxes cannot be voted on.",
            do="Set annotations.aggregation to latest.",
        )
    rows = rows.filter(pc.equal(rows["kind"], _KINDS[task]))
    if how == "majority":
        chosen = _majority(rows)
    else:
        chosen = _latest(rows)
        if task == "classification":
            chosen = _one_row_each(chosen, "image_id")
    chosen = chosen.select(ANNOTATIONS.names).cast(ANNOTATIONS)
    return chosen.sort_by([("image_id", "ascending"), ("annotation_id", "ascending")])


def _changed(rows: pa.Table) -> pa.Array:
    """Microseconds since 1970 at which each row last changed; the least integer when unknown."""
    last = pc.coalesce(rows["updated_at"], rows["created_at"])
    return pc.cast(last, pa.int64()).fill_null(np.iinfo(np.int64).min)


def _one_row_each(rows: pa.Table, *keys: str) -> pa.Table:
    """The latest row of each key; of equally late ones that of the least annotation id."""
    dated = rows.append_column("changed", _changed(rows))
    return _first_of_each(dated, keys, [("changed", "descending"), ("annotation_id", "ascending")])


def _first_of_each(rows: pa.Table, keys: tuple[str, ...], order: list[tuple[str, str]]) -> pa.Table:
    """The first row of each key, in ``order``."""
    ordered = rows.sort_by([*((key, "ascending") for key in keys), *order])
    first = np.zeros(len(ordered), dtype=bool)
    first[:1] = True
    for key in keys:
        column = ordered[key].combine_chunks()
        differs = pc.not_equal(column.slice(1), column.slice(0, max(len(column) - 1, 0)))
        first[1:] |= differs.to_numpy(zero_copy_only=False)
    return ordered.filter(pa.array(first))


def _latest(rows: pa.Table) -> pa.Table:
    dated = rows.append_column("changed", _changed(rows))
    annotators = dated.group_by(["image_id", "annotator"]).aggregate([("changed", "max")])
    winners = _first_of_each(
        annotators, ("image_id",), [("changed_max", "descending"), ("annotator", "ascending")]
    )
    keys = ["image_id", "annotator"]
    return rows.join(winners.select(keys), keys=keys, join_type="left semi")


def _majority(rows: pa.Table) -> pa.Table:
    votes = _one_row_each(rows, "image_id", "annotator")
    counted = votes.group_by(["image_id", "label"]).aggregate(
        [("annotator", "count"), ("annotator", "min")]
    )
    winners = _first_of_each(
        counted,
        ("image_id",),
        [("annotator_count", "descending"), ("annotator_min", "ascending")],
    )
    winners = winners.select(["image_id", "label", "annotator_min"])
    winners = winners.rename_columns(["image_id", "label", "annotator"])
    return votes.join(winners, keys=["image_id", "label", "annotator"], join_type="left semi")
