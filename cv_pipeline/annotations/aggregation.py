"""From several annotators on one image to the labels that a dataset uses.

The result is always a subset of the rows that came in, so every label of a dataset leads back to
one annotation of one person. It does not depend on the order of the rows.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.ranking import changed_at, first_of_each
from cv_pipeline.annotations.raw import GOLD_ANNOTATOR
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
    Where an image has gold labels, those alone count.

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
    rows = _gold_first(rows.filter(pc.equal(rows["kind"], _KINDS[task])))
    if how == "majority":
        chosen = _majority(rows)
    else:
        chosen = _latest(rows)
        if task == "classification":
            chosen = _one_row_each(chosen, "image_id")
    chosen = chosen.select(ANNOTATIONS.names).cast(ANNOTATIONS)
    return chosen.sort_by([("image_id", "ascending"), ("annotation_id", "ascending")])


def _gold_first(rows: pa.Table) -> pa.Table:
    """Without what people said of images whose truth is known."""
    is_gold = pc.equal(rows["annotator"], GOLD_ANNOTATOR)
    known = pc.unique(rows["image_id"].filter(is_gold))
    return rows.filter(pc.or_(is_gold, pc.invert(pc.is_in(rows["image_id"], value_set=known))))


def _one_row_each(rows: pa.Table, *keys: str) -> pa.Table:
    """The latest row of each key; of equally late ones that of the least annotation id."""
    dated = rows.append_column("changed", changed_at(rows))
    return first_of_each(
        dated, keys=keys, order=[("changed", "descending"), ("annotation_id", "ascending")]
    )


def _latest(rows: pa.Table) -> pa.Table:
    dated = rows.append_column("changed", changed_at(rows))
    annotators = dated.group_by(["image_id", "annotator"]).aggregate([("changed", "max")])
    winners = first_of_each(
        annotators,
        keys=["image_id"],
        order=[("changed_max", "descending"), ("annotator", "ascending")],
    )
    keys = ["image_id", "annotator"]
    return rows.join(winners.select(keys), keys=keys, join_type="left semi")


def _majority(rows: pa.Table) -> pa.Table:
    votes = _one_row_each(rows, "image_id", "annotator")
    counted = votes.group_by(["image_id", "label"]).aggregate(
        [("annotator", "count"), ("annotator", "min")]
    )
    winners = first_of_each(
        counted,
        keys=["image_id"],
        order=[("annotator_count", "descending"), ("annotator_min", "ascending")],
    )
    winners = winners.select(["image_id", "label", "annotator_min"])
    winners = winners.rename_columns(["image_id", "label", "annotator"])
    return votes.join(winners, keys=["image_id", "label", "annotator"], join_type="left semi")
