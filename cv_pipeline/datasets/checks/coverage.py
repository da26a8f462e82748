"""Whether the parts of a candidate each hold what they could hold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.datasets.checks.context import CheckContext
from cv_pipeline.datasets.checks.finding import counted
from cv_pipeline.datasets.splitting.splits import SPLITS
from cv_pipeline.distinct import distinct

COUNTS = (
    # images that show it in each split
    *(pa.field(split, pa.int64(), nullable=False) for split in SPLITS),
    # folds that show it; 0 where the split rule asks for none
    pa.field("folds", pa.int64(), nullable=False),
    # independent units (near-duplicate clusters and groups) that show it
    pa.field("units", pa.int64(), nullable=False),
    # covered, missing (some split or fold could hold it and does not), too_rare or absent
    pa.field("status", pa.string(), nullable=False),
)
"""Columns that say how a thing is covered."""
STATUSES = ("missing", "too_rare", "absent")


def cover(
    context: CheckContext,
    row: NDArray[np.int64],
    thing: NDArray[np.int64],
    *,
    size: int,
    least: float,
) -> list[pa.Array]:
    """Columns :data:`COUNTS` of things that images show.

    With S splits in use, a thing that at least S · least independent units show can be in every
    split with ``least`` images each; where it is not, it is *missing*; likewise with K folds among
    the units that are not for testing. With fewer it is *too rare*, and with none *absent*.

    Args:
        context: the candidate.
        row: (P,) row of the manifest of each pair of image and thing.
        thing: (P,) number of the thing, below ``size``.
        size: number of things.
        least: least images in each split.
    """
    manifest = context.manifest
    split = pc.index_in(manifest["split"], value_set=pa.array(SPLITS)).to_numpy()
    unit = context.unit
    fold = manifest["fold"].fill_null(0).to_numpy()
    row, thing = np.divmod(distinct(row.astype(np.int64) * size + thing), max(size, 1))
    images = np.zeros((size, len(SPLITS)), np.int64)
    np.add.at(images, (thing, split[row]), 1)
    units = _distinct(thing, unit[row], size)
    folded = fold[row] > 0
    folds = _distinct(thing[folded], fold[row[folded]], size)
    foldable = _distinct(thing[folded], unit[row[folded]], size)
    used = np.bincount(split, minlength=len(SPLITS)) > 0
    count = len(distinct(fold[fold > 0]))
    in_splits = (images[:, used] >= least).all(axis=1) & used.any()
    in_folds = folds >= count
    for_splits, for_folds = units >= max(used.sum(), 1) * max(least, 1), foldable >= count
    missing = (~in_splits & for_splits) | (~in_folds & for_folds)
    status = np.select(
        [in_splits & in_folds, missing, units > 0], ["covered", "missing", "too_rare"], "absent"
    )
    return [*map(pa.array, images.T), pa.array(folds), pa.array(units), pa.array(status.tolist())]


def count_statuses(rows: pa.Table) -> dict[str, int]:
    """Things of each status that is not ``covered``."""
    return {s: pc.sum(pc.equal(rows["status"], s)).as_py() or 0 for s in STATUSES}


def told(names: pa.ChunkedArray, status: pa.ChunkedArray, noun: str, plural: str) -> str:
    """What is not covered, in words; empty where everything is."""
    parts = []
    for kind, what in (
        ("missing", "missing from a split or fold that could hold them"),
        ("too_rare", "too rare to be in every split"),
        ("absent", "without any label"),
    ):
        these = names.filter(pc.equal(status, kind)).to_pylist()
        if these:
            named = ", ".join(these[:5]) + (", …" if len(these) > 5 else "")
            parts.append(f"{counted(len(these), noun, plural)} {what} ({named})")
    return "; ".join(parts)


def _distinct(thing: NDArray[np.int64], other: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """(size,) number of distinct other values of each thing."""
    key = distinct(thing * (int(other.max(initial=0)) + 1) + other)
    return np.bincount(key // (int(other.max(initial=0)) + 1), minlength=size)
