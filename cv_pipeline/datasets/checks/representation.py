"""Whether some groups are over- or under-represented."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.datasets.checks.context import LAKE, CheckContext
from cv_pipeline.datasets.checks.finding import Finding, counted

REPRESENTATION = pa.schema(
    [
        # metadata key; empty for a class
        pa.field("key", pa.string(), nullable=False),
        # its value, or the class
        pa.field("value", pa.string(), nullable=False),
        # images of the candidate that have it
        pa.field("images", pa.int64(), nullable=False),
        # its share of the candidate's images
        pa.field("share", pa.float64(), nullable=False),
        # its share of the lake's images
        pa.field("lake_share", pa.float64(), nullable=False),
        # share over the lake's share
        pa.field("times_lake", pa.float64(), nullable=False),
        # images over what an even division among the values would give
        pa.field("times_even", pa.float64(), nullable=False),
        # adjusted residual: standard deviations from what a random choice of images would give
        pa.field("residual", pa.float64(), nullable=False),
        # probability of such a residual by chance, corrected for the number of groups
        pa.field("p", pa.float64(), nullable=False),
        # under, over (against the lake), rare (against an even division) or as_expected
        pa.field("status", pa.string(), nullable=False),
    ]
)
CHANCE = 0.01
"""Corrected probability below which a difference from the lake is none of chance."""
RARE = 8
"""A group is rare at this many times less than an even share, over the threshold."""
VALUES = 1000
"""A key with more values tells single images, not groups."""


def check_representation(context: CheckContext, threshold: float) -> Finding:
    """Compare the share of each metadata value and class with the lake's, and with an even one.

    A group is *under*- or *over*-represented when its share is below ``threshold`` of the lake's,
    or above the inverse, and chance does not explain it: by the adjusted residual under sampling
    without replacement (Haberman, "The analysis of residuals in cross-classified tables",
    Biometrics 29, 1973), corrected for the number of groups after Benjamini and Hochberg
    ("Controlling the false discovery rate", JRSS B 57, 1995). The usual threshold, 0.8, is the
    four-fifths rule of the Uniform Guidelines on Employee Selection Procedures (1978). A group is
    *rare* when it has less than ``threshold`` / ``RARE`` of an even share of its key. Shares of
    classes are among labelled images.

    Args:
        context: the candidate.
        threshold: least share relative to the lake's that passes.

    Returns:
        Rows of schema :data:`REPRESENTATION`, one a group, by how far they are off.
    """
    lake = _tellable(context.lake)
    key, value = lake["key"], lake["value"]
    images = _images(context, lake)
    is_class = pc.equal(key, "").to_numpy()
    labelled = pc.sum(pc.equal(context.manifest["labels_state"], "labelled")).as_py() or 0
    size = np.where(is_class, labelled, len(context.manifest))
    total = np.where(is_class, context.lake_labelled, len(context.stored))
    in_lake = lake["images"].to_numpy()
    share, lake_share = images / np.maximum(size, 1), in_lake / np.maximum(total, 1)
    residual = _residual(images, size, in_lake, total)
    p = _corrected(residual)
    times_lake, times_even = share / lake_share, _times_even(images, key)
    status = np.select(
        [
            (p < CHANCE) & (times_lake < threshold),
            (p < CHANCE) & (times_lake * threshold > 1),
            times_even < threshold / RARE,
        ],
        ["under", "over", "rare"],
        "as_expected",
    )
    columns = [
        key, value, images, share, lake_share, times_lake, times_even, residual, p, status.tolist(),
    ]  # fmt: skip
    rows = pa.table(dict(zip(REPRESENTATION.names, columns, strict=True)), schema=REPRESENTATION)
    found = {kind: int((status == kind).sum()) for kind in ("under", "over", "rare")}
    rows = rows.take(pa.array(np.lexsort((times_even, p, status == "as_expected"))))
    skipped = len(pc.unique(context.lake["key"])) - len(pc.unique(key))
    metrics = {"groups": len(rows), **found, "keys_skipped": skipped}
    return Finding(not sum(found.values()), _summary(rows, found), metrics, rows)


def _summary(rows: pa.Table, found: dict[str, int]) -> str:
    groups = counted(len(rows), "group")
    if not sum(found.values()):
        return f"Each of {groups} has about its share of the lake, and none is rare."
    told = []
    for kind, words in (
        ("under", "under-represented against the lake"),
        ("over", "over-represented"),
        ("rare", "rare"),
    ):
        these = rows.filter(pc.equal(rows["status"], kind)).slice(0, 4).to_pylist()
        named = ", ".join(f"{_name(r)} {r['share']:.1%} of {r['lake_share']:.1%}" for r in these)
        if these:
            more = ", …" if found[kind] > len(these) else ""
            told.append(f"{found[kind]:,} {words} ({named}{more})")
    return f"Of {groups}: {'; '.join(told)}."


def _name(row: dict[str, str]) -> str:
    return f"{row['key']} = {row['value']}" if row["key"] else row["value"]


def _tellable(lake: pa.Table) -> pa.Table:
    """The groups of keys that have few enough values to be groups."""
    sizes = lake["key"].value_counts()
    few = sizes.field("values").filter(pc.less_equal(sizes.field("counts"), VALUES))
    return lake.filter(pc.is_in(lake["key"], value_set=few))


def _images(context: CheckContext, lake: pa.Table) -> NDArray[np.int64]:
    """Images of the candidate in each group."""
    values = context.metadata.group_by(["key", "value"]).aggregate([([], "count_all")])
    shown = context.shown
    classes = np.bincount(shown.label, minlength=len(shown.names))
    ours = pa.concat_tables(
        [
            pa.table([values["key"], values["value"], values["count_all"]], schema=LAKE),
            pa.table([pa.repeat("", len(classes)), shown.names, classes], schema=LAKE),
        ]
    ).rename_columns(["key", "value", "ours"])
    both = lake.append_column("row", pa.array(np.arange(len(lake)))).join(ours, ["key", "value"])
    return np.asarray(both.sort_by("row")["ours"].fill_null(0).to_numpy())


def _times_even(images: NDArray[np.int64], key: pa.ChunkedArray) -> NDArray[np.float64]:
    """Images of each group over the mean of the groups of its key."""
    code = pc.dictionary_encode(key).combine_chunks().indices.to_numpy()
    mean = np.bincount(code, weights=images) / np.maximum(np.bincount(code), 1)
    return np.asarray(images / np.maximum(mean[code], 1e-9))


def _residual(
    images: NDArray[np.int64],
    size: NDArray[np.int64],
    in_lake: NDArray[np.int64],
    total: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Standard deviations from the mean of the hypergeometric distribution; 0 where it has none."""
    rate = in_lake / np.maximum(total, 1)
    variance = size * rate * (1 - rate) * (total - size) / np.maximum(total - 1, 1)
    apart = images - size * rate
    return np.where(variance > 0, apart / np.sqrt(np.where(variance > 0, variance, 1)), 0.0)


def _corrected(residual: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import false_discovery_control, norm

    return np.asarray(false_discovery_control(2 * norm.sf(np.abs(residual))))
