"""Selections as a corrective run needs them: widened beyond the test split, and with more images.

What a model is judged on it must not learn from, so a selection of test images alone corrects
nothing; the same condition without the split has training images like them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from cv_pipeline.catalog.datalake.selection import Selection
from cv_pipeline.catalog.query import parse
from cv_pipeline.catalog.query.nodes import (
    And,
    Between,
    Comparison,
    Condition,
    Field,
    Membership,
    Or,
    Presence,
    QueryNode,
    Rows,
    all_of,
)
from cv_pipeline.catalog.query.text import to_text
from cv_pipeline.errors import QueryError

_DIGITS = 16
MOST_MORE = 500
"""Images that may be added to a selection one by one."""
_TESTS = (Comparison, Membership, Between, Presence)


class SelectionCounts(BaseModel):
    """A selection and what is known of its images.

    Attributes:
        query: in the canonical text form.
        images: how many there are.
        labelled: how many have labels, and can be learnt from.
        train: how many are training images of the parent's dataset version.
        held_out: how many are in its val and test splits.
        outside: how many are not in that version.
        sample: ids of a few of them.
    """

    query: str
    images: int
    labelled: int
    train: int
    held_out: int
    outside: int
    sample: list[str]


def widened(text: str) -> str | None:
    """A query without what binds it to a dataset version; None where nothing is left or bound.

    Raises:
        QueryError: it cannot be understood.
    """
    node = parse(text)
    if not isinstance(node.where, And) or node.sample is not None or node.limit is not None:
        return None
    kept = [part for part in node.where.operands if not _of_version(part)]
    if len(kept) == len(node.where.operands) or not kept:
        return None
    return to_text(QueryNode(where=all_of(kept)))


def with_more(text: str | None, image_ids: Sequence[str]) -> str:
    """A query that selects some images besides; without a query, these alone.

    Raises:
        QueryError: it cannot be understood, is a sample or a part of one, or the images are too
            many.
    """
    ids = sorted(set(image_ids))
    if not ids and text is None:
        raise QueryError("Nothing is selected.", do="Give a query, or some images.")
    if not ids:
        return text or "all images"
    if len(ids) > MOST_MORE:
        raise QueryError(
            f"{len(ids)} images cannot be added one by one.",
            do=f"Add up to {MOST_MORE}, or tag them and select them by the tag.",
        )
    named = Membership(Field("image"), tuple(i[:_DIGITS] for i in ids))
    if text is None:
        return to_text(QueryNode(where=named))
    node = parse(text)
    if node.sample is not None or node.limit is not None:
        raise QueryError(
            "Images cannot be added to a sample, or to the first of an order.",
            do="Leave out sample and limit, or tag the images and select them by the tag.",
        )
    if node.where is None:  # all images have these
        return text
    return to_text(replace(node, where=Or((node.where, named))))


def counted(selection: Selection, splits: pa.Table, *, sample: int = 12) -> SelectionCounts:
    """What is known of the images of a selection.

    Args:
        selection: the images.
        splits: image_id and split of the parent's dataset version.
        sample: how many ids to give.
    """
    snapshot, numbers = selection.snapshot, selection.numbers
    annotated = snapshot.images["annotations_count"].to_numpy()[numbers] > 0
    ids = selection.image_ids
    place = pc.index_in(ids, value_set=splits["image_id"].combine_chunks())
    found = pc.drop_null(splits["split"].combine_chunks().take(place))
    train = int(pc.sum(pc.equal(found, "train")).as_py() or 0)
    return SelectionCounts(
        query=selection.text,
        images=len(numbers),
        labelled=int(np.count_nonzero(annotated)),
        train=train,
        held_out=len(found) - train,
        outside=len(numbers) - len(found),
        sample=ids[:sample].to_pylist(),
    )


def _of_version(part: Condition) -> bool:
    """Whether a condition only asks for the membership of a dataset version."""
    if not isinstance(part, _TESTS) or not isinstance(part.operand, Rows):
        return False
    return part.operand.of == "dataset"
