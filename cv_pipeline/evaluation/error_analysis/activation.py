"""Activation shares by slice: whether a model looks at the objects, and where it does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ACTIVATION_SLICES = pa.schema(
    [
        # metadata key; empty for the whole sample
        pa.field("slice_key", pa.string(), nullable=False),
        # its value; empty for the whole sample
        pa.field("slice_value", pa.string(), nullable=False),
        # class of the ontology; null for all classes
        pa.field("label", pa.string()),
        # mean share of the activation inside the objects' boxes
        pa.field("share", pa.float64(), nullable=False),
        # mean share of the area that those boxes cover
        pa.field("area", pa.float64(), nullable=False),
        # pairs of image and class behind the means
        pa.field("maps", pa.int64(), nullable=False),
    ]
)


def sample_images(
    per_image: pa.Table, *, split: str, n: int, gone: Sequence[str] = ()
) -> list[str]:
    """Images of a split with objects, evenly spaced over their ids, which are as good as drawn.

    Args:
        per_image: schema PER_IMAGE.
        split: train, val or test.
        n: at most this many.
        gone: images that were taken out since, and cannot be looked at.
    """
    rows = per_image.filter(
        pc.and_(pc.equal(per_image["split"], split), pc.greater(per_image["objects"], 0))
    )
    there = pc.invert(pc.is_in(rows["image_id"], value_set=pa.array(gone, pa.string())))
    ids = rows["image_id"].filter(there).sort().to_pylist()
    chosen = np.unique(np.linspace(0, len(ids) - 1, min(n, len(ids))).round().astype(int))
    return [ids[k] for k in chosen]


def activation_slices(
    activations: pa.Table, metadata: pa.Table, *, keys: Sequence[str]
) -> pa.Table:
    """Mean shares of the whole sample and of each value of some metadata keys.

    Args:
        activations: schema ACTIVATIONS; rows without a share are left out.
        metadata: columns image_id, key, value; one row per image and key.
        keys: metadata keys.

    Returns:
        Schema ACTIVATION_SLICES, by class (all first), key (whole first) and value.
    """
    known = activations.filter(pc.is_valid(activations["share"]))
    n = len(known)
    whole = known.append_column("slice_key", pa.repeat("", n)).append_column(
        "slice_value", pa.repeat("", n)
    )
    named = metadata.filter(pc.is_in(metadata["key"], value_set=pa.array(list(keys), pa.string())))
    joined = known.join(
        named.select(["image_id", "key", "value"]), keys="image_id", join_type="inner"
    ).rename_columns({"key": "slice_key", "value": "slice_value"})
    columns = ["slice_key", "slice_value", "label", "share", "area"]
    # columns differ in whether they may be null
    by_class = pa.concat_tables(
        [whole.select(columns), joined.select(columns)], promote_options="default"
    )
    everything = by_class.set_column(2, "label", pa.nulls(len(by_class), pa.string()))
    grouped = (
        pa.concat_tables([everything, by_class], promote_options="default")
        .group_by(["slice_key", "slice_value", "label"], use_threads=False)
        .aggregate([("share", "mean"), ("area", "mean"), ("share", "count")])
        .rename_columns({"share_mean": "share", "area_mean": "area", "share_count": "maps"})
    )
    rows = grouped.select(ACTIVATION_SLICES.names).cast(ACTIVATION_SLICES).to_pylist()
    rows.sort(
        key=lambda r: (r["label"] is not None, r["label"] or "", r["slice_key"], r["slice_value"])
    )
    return pa.Table.from_pylist(rows, schema=ACTIVATION_SLICES)
