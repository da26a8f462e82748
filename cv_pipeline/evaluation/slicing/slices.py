"""Metrics of every slice of a split, and which slices are worst.

A slice is the images that share a value of one metadata key. The slices of one key, with those on
which it is not set, make up the split.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas.slices import SLICES
from cv_pipeline.evaluation.measure import Scorer

WHOLE = ""
HEADLINE_ORDER = ("test", "val", "train")
OVERALL_METRICS = ("AP50", "accuracy")
CLASS_METRIC = "recall"

WORST_SLICES = pa.schema(
    [
        # metadata key that the slice is made by
        pa.field("slice_key", pa.string(), nullable=False),
        # its value; null for the images on which the key is not set
        pa.field("slice_value", pa.string()),
        # class; null for all classes
        pa.field("label", pa.string()),
        # AP50 or accuracy for all classes, recall for one
        pa.field("metric", pa.string(), nullable=False),
        # on the slice, 0 to 1
        pa.field("value", pa.float64(), nullable=False),
        # on the whole split, for the same class
        pa.field("whole", pa.float64(), nullable=False),
        # value - whole, below 0
        pa.field("difference", pa.float64(), nullable=False),
        # images of the slice; of a class, those of them that hold it
        pa.field("images", pa.int64(), nullable=False),
        # ground-truth objects behind the number
        pa.field("objects", pa.int64(), nullable=False),
    ]
)


def evaluate_slices(
    scorer: Scorer,
    *,
    split: str,
    image_ids: pa.Array,
    metadata: pa.Table,
    keys: Sequence[str],
    min_slice: int,
) -> pa.Table:
    """Measure the whole split and the slices of each key, for all classes and for each.

    Args:
        scorer: the results of the split.
        split: its name.
        image_ids: its images, in the scorer's order.
        metadata: current metadata: columns image_id, key, value; one row per image and key.
        keys: metadata keys; one that is set on none of the images gives no slices.
        min_slice: images below which a slice is small.

    Returns:
        Schema SLICES, by class (all first), key (whole first), value and metric; no value for a
        metric that is not defined.
    """
    rows: list[dict[str, Any]] = [
        {
            "slice_key": key,
            "slice_value": value,
            "split": split,
            "label": m.label,
            "metric": m.metric,
            "value": m.value,
            "images": m.images,
            "objects": m.objects,
            "small": m.images < min_slice,
        }
        for key, value, images in _slices(image_ids, metadata, keys)
        for m in scorer.measure(images)
    ]
    rows.sort(key=_reading_order)
    return pa.Table.from_pylist(rows, schema=SLICES)


def worst_slices(slices: pa.Table, n: int) -> pa.Table:
    """The slices that fall furthest below the whole split, worst first.

    All classes together are compared by AP50 or accuracy, a class by its recall with that class's
    recall on the whole split. Small slices, and those no worse than the whole, are left out, as
    are splits other than the headline split.

    Args:
        slices: schema SLICES.
        n: at most this many.

    Returns:
        Schema WORST_SLICES.
    """
    split = headline_split(slices)
    rows = slices.filter(
        pc.and_(
            pc.and_(pc.equal(slices["split"], split), pc.is_valid(slices["value"])),
            pc.if_else(
                pc.is_null(slices["label"]),
                pc.is_in(slices["metric"], value_set=pa.array(OVERALL_METRICS)),
                pc.equal(slices["metric"], CLASS_METRIC),
            ),
        )
    ).to_pylist()
    whole = {row["label"]: row["value"] for row in rows if row["slice_key"] == WHOLE}
    worse = [
        row | {"whole": whole[row["label"]], "difference": row["value"] - whole[row["label"]]}
        for row in rows
        if row["slice_key"] != WHOLE and not row["small"] and row["value"] < whole[row["label"]]
    ]
    # Sorting keeps the order of equals, which is that of the table.
    worse.sort(key=lambda row: (row["difference"], -row["objects"]))
    return pa.Table.from_pylist(worse[:n], schema=WORST_SLICES)


def headline_split(slices: pa.Table) -> str | None:
    """The split whose metrics stand for the model: test, else val, else train.

    The first of them that has ground truth; None when none has.
    """
    whole = slices.filter(
        pc.and_(pc.equal(slices["slice_key"], WHOLE), pc.greater(slices["objects"], 0))
    )
    present = whole["split"].unique().to_pylist()
    return next((split for split in HEADLINE_ORDER if split in present), None)


def _slices(
    image_ids: pa.Array, metadata: pa.Table, keys: Sequence[str]
) -> Iterator[tuple[str, str | None, NDArray[np.int64]]]:
    """Key, value and sorted image indices of the whole and of each slice."""
    yield WHOLE, WHOLE, np.arange(len(image_ids))
    for key in keys:
        rows = metadata.filter(pc.equal(metadata["key"], key))
        where = pc.index_in(image_ids, value_set=rows["image_id"].combine_chunks())
        values = rows["value"].combine_chunks().take(where).dictionary_encode()
        codes = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        if (codes == -1).all():
            continue
        names = values.dictionary.to_pylist()
        for code in sorted(range(len(names)), key=names.__getitem__):
            yield key, names[code], np.flatnonzero(codes == code)
        if (codes == -1).any():
            yield key, None, np.flatnonzero(codes == -1)


def _reading_order(row: dict[str, Any]) -> tuple[bool | str, ...]:
    label, value = row["label"], row["slice_value"]
    return (
        label is not None,
        label or "",
        row["slice_key"],
        value is not None,
        value or "",
        row["metric"],
    )
