"""Where a model is unsure, before anybody is paid: by class, by slice, and image by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.labeling.prelabels.prelabel_rows import NONE

DOUBTS = pa.schema(
    [
        # a class, or a slice such as lighting=dim
        pa.field("where", pa.string(), nullable=False),
        # images, or of a class the objects that are suggested
        pa.field("suggested", pa.int64(), nullable=False),
        # corrections to be expected, as far as scores are right
        pa.field("expected_corrections", pa.float64(), nullable=False),
        # the same for each of them
        pa.field("of_each", pa.float64(), nullable=False),
    ]
)
_BINS = 10
_BAR = 40


@dataclass(frozen=True, eq=False)
class Doubts:
    """Where the pre-labels of a model are unsure.

    Attributes:
        classes: schema DOUBTS: suggestions of each class that are likely to be wrong, most first.
        slices: schema DOUBTS: uncertainty of the images of each slice, most an image first.
        images: columns image_id and uncertainty, the least sure first.
        mean: mean uncertainty of an image; None without images.
        histogram: columns from, to, images and bar: how uncertainty is spread.
    """

    classes: pa.Table
    slices: pa.Table
    images: pa.Table
    mean: float | None
    histogram: pa.Table


def doubts(catalog: Catalog, *, model: str, keys: Sequence[str] = ()) -> Doubts:
    """Look at all pre-labels of a model.

    Args:
        catalog: the project's tables.
        model: its digest, or the name of an algorithm.
        keys: metadata keys whose values are slices.
    """
    rows = catalog.table("prelabels").read(
        columns=["image_id", "label", "kind", "score", "uncertainty"],
        filter=one_of("model", [model]),
    )
    images = rows.group_by("image_id").aggregate([("uncertainty", "max")])
    images = images.rename_columns(["image_id", "uncertainty"])
    order = [("uncertainty", "descending"), ("image_id", "ascending")]
    images = images.sort_by(order).combine_chunks()
    shown = rows.filter(pc.not_equal(rows["kind"], NONE))
    wrong = shown.append_column("wrong", pc.subtract(1.0, shown["score"]))
    return Doubts(
        classes=_doubts(wrong, "label", "wrong").sort_by([("expected_corrections", "descending")]),
        slices=_slices(catalog, images, keys),
        images=images,
        mean=pc.mean(images["uncertainty"]).as_py(),
        histogram=_histogram(images),
    )


def _slices(catalog: Catalog, images: pa.Table, keys: Sequence[str]) -> pa.Table:
    if not keys:
        return DOUBTS.empty_table()
    values = current_metadata(catalog)
    values = values.filter(pc.is_in(values["key"], pa.array(list(keys), pa.string())))
    joined = values.join(images, ["image_id"], join_type="inner")
    where = pc.binary_join_element_wise(joined["key"], joined["value"], "=")
    named = pa.table({"where": where, "uncertainty": joined["uncertainty"]})
    return _doubts(named, "where", "uncertainty")


def _doubts(rows: pa.Table, name: str, value: str) -> pa.Table:
    """Schema DOUBTS, the most doubtful on the mean first."""
    sums = rows.group_by(name).aggregate([(value, "count"), (value, "sum"), (value, "mean")])
    columns = [sums[c] for c in (name, f"{value}_count", f"{value}_sum", f"{value}_mean")]
    table = pa.Table.from_arrays(columns, names=DOUBTS.names).cast(DOUBTS)
    return table.sort_by([("of_each", "descending"), ("where", "ascending")])


def _histogram(images: pa.Table) -> pa.Table:
    values = images["uncertainty"].to_numpy()
    top = max(1.0, float(np.ceil(values.max()))) if len(values) else 1.0
    counts, edges = np.histogram(values, bins=_BINS, range=(0, top))
    longest = max(int(counts.max()), 1)
    return pa.table(
        {
            "from": edges[:-1].round(3),
            "to": edges[1:].round(3),
            "images": counts,
            "bar": ["█" * round(_BAR * int(c) / longest) for c in counts],
        }
    )
