"""Whether every class can be learned, chosen by and tested."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.datasets.checks.context import CheckContext
from cv_pipeline.datasets.checks.finding import Finding, counted
from cv_pipeline.datasets.splits import SPLITS

COVERAGE = pa.schema(
    [
        # class of the ontology
        pa.field("label", pa.string(), nullable=False),
        # images that show it in each split
        *[pa.field(split, pa.int64(), nullable=False) for split in SPLITS],
        # independent units (near-duplicate clusters and groups) that show it
        pa.field("units", pa.int64(), nullable=False),
        # covered, missing (some split could hold it and does not), too_rare or absent
        pa.field("status", pa.string(), nullable=False),
    ]
)


def check_class_coverage(context: CheckContext, threshold: float) -> Finding:
    """Look for classes that a split is without although it could have some.

    With S splits in use, a class that is shown by at least S · threshold independent units can be
    in every split with ``threshold`` images each; where it is not, it is *missing*. With fewer it
    is *too rare*, and with none *absent*: both are told and do not fail, for no division could
    mend them.

    Args:
        context: the candidate.
        threshold: least images of a class in each split.

    Returns:
        Rows of schema :data:`COVERAGE`, one a class, in the ontology's order.
    """
    labels = list(context.record.ontology.labels)
    manifest = context.manifest
    shown = context.annotations.group_by(["image_id", "label"]).aggregate([])
    row = pc.index_in(shown["image_id"], value_set=manifest["image_id"].combine_chunks())
    label = pc.index_in(shown["label"], value_set=pa.array(labels))
    known = pc.and_(row.is_valid(), label.is_valid())
    rows, classes = row.filter(known).to_numpy(), label.filter(known).to_numpy()
    split = pc.index_in(manifest["split"], value_set=pa.array(SPLITS)).to_numpy()
    unit = pc.dictionary_encode(manifest["unit"].combine_chunks()).indices.to_numpy()
    images = np.zeros((len(labels), len(SPLITS)), np.int64)
    np.add.at(images, (classes, split[rows]), 1)
    pairs = np.unique(np.stack([classes, unit[rows]]), axis=1)
    units = np.bincount(pairs[0], minlength=len(labels))
    used = np.bincount(split, minlength=len(SPLITS)) > 0
    covered = (images[:, used] >= threshold).all(axis=1)
    could = units >= used.sum() * max(threshold, 1)
    status = np.select([covered, could, units > 0], ["covered", "missing", "too_rare"], "absent")
    table = pa.Table.from_arrays(
        [pa.array(labels), *map(pa.array, images.T), pa.array(units), pa.array(status.tolist())],
        schema=COVERAGE,
    )
    count = {kind: int((status == kind).sum()) for kind in ("missing", "too_rare", "absent")}
    metrics = {"classes": len(labels), **count, "rarest_images": int(images.sum(1).min())}
    return Finding(not count["missing"], _summary(table, count), metrics, table)


def _summary(table: pa.Table, count: dict[str, int]) -> str:
    def named(status: str) -> str:
        labels = table["label"].filter(pc.equal(table["status"], status)).to_pylist()
        return ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")

    told = [
        f"{counted(count[status], 'class', 'classes')} {what} ({named(status)})"
        for status, what in (
            ("missing", "missing from a split that could hold them"),
            ("too_rare", "too rare to be in every split"),
            ("absent", "without any label"),
        )
        if count[status]
    ]
    total = counted(len(table), "class", "classes")
    return f"Of {total}: {'; '.join(told)}." if told else f"All {total} are in every split."
