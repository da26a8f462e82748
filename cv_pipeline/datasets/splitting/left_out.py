"""The selected images that a candidate cannot take, and why: told, never dropped in silence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.datasets.splitting.bonds import OPEN, Bonds
from cv_pipeline.datasets.splitting.splits import SPLITS, Places
from cv_pipeline.distinct import distinct

NO_FEATURES, BRIDGE = "no_features", "bridge"

LEFT_OUT = pa.schema(
    [
        # the image; rows are sorted by it
        pa.field("image_id", pa.string(), nullable=False),
        # no_features (it could not be read), or bridge (it belongs to images of two splits)
        pa.field("reason", pa.string(), nullable=False),
        # what a bridge belongs to, such as test 1, train 3; empty for the others
        pa.field("belongs_to", pa.string(), nullable=False),
    ]
)


def unreadable(selected: pa.Array, featured: pa.Array) -> pa.Table:
    """The selected images that have no features, as :data:`LEFT_OUT`."""
    missing = selected.filter(pc.invert(pc.is_in(selected, value_set=featured)))
    return _table(missing, NO_FEATURES, [""] * len(missing))


def bridges(image_ids: pa.Array, torn: NDArray[np.bool_], bonds: Bonds, places: Places) -> pa.Table:
    """The images that belong to images of two splits or folds, as :data:`LEFT_OUT`.

    Args:
        image_ids: (N,) sorted ids.
        torn: (N,) whether an image is one of them.
        bonds: what belongs together.
        places: (N,) where the others must go.
    """
    rows = np.flatnonzero(torn)
    mine = torn[bonds.image]
    wanted = distinct(bonds.bond[mine])
    around = np.isin(bonds.bond, wanted) & ~torn[bonds.image]
    around &= places.split[bonds.image] != OPEN
    edges = pa.table({"bond": bonds.bond[mine], "torn": bonds.image[mine]}).join(
        pa.table({"bond": bonds.bond[around], "other": bonds.image[around]}),
        "bond",
        join_type="inner",
    )
    pairs = edges.group_by(["torn", "other"]).aggregate([])
    other = pairs["other"].to_numpy()
    said = pa.table({"torn": pairs["torn"], "place": _names(places, other)})
    said = said.group_by(["torn", "place"]).aggregate([([], "count_all")])
    said = said.sort_by([("torn", "ascending"), ("place", "ascending")])
    text = pc.binary_join_element_wise(said["place"], said["count_all"].cast(pa.string()), " ")
    said = pa.table({"torn": said["torn"], "text": text})
    lists = said.group_by("torn", use_threads=False).aggregate([("text", "list")])
    joined = pc.binary_join(lists["text_list"], ", ")
    at = pc.index_in(pa.array(rows), value_set=lists["torn"].combine_chunks())
    return _table(image_ids.take(pa.array(rows)), BRIDGE, joined.take(at).fill_null(""))


def _names(places: Places, rows: NDArray[np.int64]) -> pa.Array:
    """Such as ``test``, or ``train (fold 2)``."""
    split = pa.array(SPLITS).take(pa.array(places.split[rows]))
    fold = pa.array(places.fold[rows], mask=places.fold[rows] == OPEN).cast(pa.string())
    named = pc.binary_join_element_wise(split, " (fold ", fold, ")", "")
    return pc.coalesce(named, split)


def _table(
    image_ids: pa.Array, reason: str, belongs_to: Sequence[str] | pa.ChunkedArray
) -> pa.Table:
    columns = [image_ids, pa.repeat(reason, len(image_ids)), belongs_to]
    return pa.table(dict(zip(LEFT_OUT.names, columns, strict=True)), schema=LEFT_OUT)
