"""What happened to an image's labels, and in which dataset versions it was with which of them.

Put together from the versions of the annotations table that still exist and from the immutable
dataset versions; what was cleaned up between two kept versions shows as one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.tables import Catalog, CatalogTable
from cv_pipeline.datasets.differences.changed_rows import (
    COMPARED,
    IMAGE_CHANGES,
    LABEL_CHANGES,
    changed_labels,
)
from cv_pipeline.errors import CatalogError

_READERS = 8
_BOTH = [f"{name}_{when}" for name in COMPARED for when in ("before", "after")]

HISTORY = pa.schema(
    [
        # when, UTC: of a label what the tool recorded, else when it was committed
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        # annotations (the table of all labels) or dataset
        pa.field("source", pa.string(), nullable=False),
        # version of that table, or digest of that dataset version
        pa.field("version", pa.string(), nullable=False),
        # added, removed or changed for a label; joined, left or moved for the image
        pa.field("change", pa.string(), nullable=False),
        # annotator; null where the record names nobody
        pa.field("who", pa.string()),
        # in words
        pa.field("what", pa.string(), nullable=False),
        # the label; null for what happened to the image
        pa.field("annotation_id", pa.string()),
        # columns of the label that changed, comma-separated
        pa.field("fields", pa.string(), nullable=False),
        # the label before and after: label_before, label_after and so on
        *(LABEL_CHANGES.field(name) for name in _BOTH),
    ]
)


@dataclass(frozen=True, eq=False)
class Appearance:
    """An image in one dataset version, or its absence from it.

    Attributes:
        at: when the version was made, UTC.
        dataset: digest of the version.
        split: its split; None when it is not in the version.
        labels: ``ANNOTATIONS`` on it.
    """

    at: datetime
    dataset: str
    split: str | None
    labels: pa.Table


@dataclass(frozen=True, eq=False)
class ImageHistory:
    """All that is known of an image's labels.

    Attributes:
        image_id: the image.
        changes: ``HISTORY``, oldest first.
        labels: ``ANNOTATIONS``: its labels as they are now, of every annotator.
    """

    image_id: str
    changes: pa.Table
    labels: pa.Table

    def to_json(self) -> dict[str, Any]:
        """The history as plain values."""
        return {
            "image_id": self.image_id,
            "changes": [_without_nulls(row) for row in self.changes.to_pylist()],
            "labels": [_without_nulls(row) for row in self.labels.to_pylist()],
        }


def image_history(
    image_id: str, *, catalog: Catalog, appearances: Sequence[Appearance]
) -> ImageHistory:
    """Put together what happened to an image's labels.

    Args:
        image_id: the image.
        catalog: the project's tables.
        appearances: the image in each dataset version of the project, oldest first.
    """
    table = catalog.table("annotations")
    kept = table.kept_versions()
    with ThreadPoolExecutor(_READERS) as pool:
        states = list(pool.map(lambda v: _labels(table, image_id, v.version), kept))
    changes = [HISTORY.empty_table()]
    before = ANNOTATIONS.empty_table()
    for made, rows in zip(kept, states, strict=True):
        if rows is None:
            continue  # cleaned up since the list was read
        changes.append(
            _label_changes(
                before,
                rows,
                at=made.committed_at,
                source="annotations",
                version=str(made.version),
            )
        )
        before = rows
    changes += _appearances(appearances)
    whole = pa.concat_tables(changes)
    order = [("at", "ascending"), ("source", "ascending"), ("annotation_id", "ascending")]
    # Arrow's sort keeps no order among equals
    place = pa.array(range(len(whole)), pa.int64())
    whole = whole.append_column("place", place).sort_by([*order, ("place", "ascending")])
    return ImageHistory(image_id, whole.select(HISTORY.names), before)


def _labels(table: CatalogTable, image_id: str, version: int) -> pa.Table | None:
    try:
        return table.read(filter=pc.field("image_id") == image_id, version=version)
    except CatalogError:
        return None


def _appearances(appearances: Sequence[Appearance]) -> list[pa.Table]:
    changes = []
    split: str | None = None
    before = ANNOTATIONS.empty_table()
    for found in appearances:
        if found.split != split:
            changes.append(_image_change(found, split))
        now = found.labels if found.split is not None else ANNOTATIONS.empty_table()
        if found.split is not None and split is not None:
            changes.append(
                _label_changes(before, now, at=found.at, source="dataset", version=found.dataset)
            )
        split, before = found.split, now
    return changes


def _image_change(found: Appearance, before: str | None) -> pa.Table:
    labels = f"{len(found.labels)} label{'' if len(found.labels) == 1 else 's'}"
    if found.split is None:
        change, what = "left", f"was in {before}"
    elif before is None:
        change, what = "joined", f"in {found.split}, with {labels}"
    else:
        change, what = "moved", f"{before} → {found.split}, with {labels}"
    row = {
        "at": found.at,
        "source": "dataset",
        "version": found.dataset,
        "change": change,
        "what": what,
        "fields": "",
    }
    return pa.Table.from_pylist([row], schema=HISTORY)


def _label_changes(
    before: pa.Table, after: pa.Table, *, at: datetime, source: str, version: str
) -> pa.Table:
    """Rows of HISTORY for the labels in which two states differ."""
    if before.equals(after):  # as most versions of a table leave most images
        return HISTORY.empty_table()
    rows = changed_labels(before, after, images=IMAGE_CHANGES.empty_table())
    if not len(rows):
        return HISTORY.empty_table()
    n = len(rows)
    gone = pc.equal(rows["change"], "removed")
    committed = pa.scalar(at, HISTORY.field("at").type)
    recorded = pc.coalesce(rows["updated_at_after"], rows["created_at_after"], committed)
    # the tool says when a label was made, and nobody when it was taken away
    in_tool = pc.and_(pc.invert(gone), source == "annotations")
    label = pc.coalesce(rows["label_after"], rows["label_before"])
    details = pc.if_else(
        pc.equal(rows["change"], "changed"),
        pc.binary_join_element_wise(label, pc.replace_substring(rows["fields"], ",", ", "), ": "),
        label,
    )
    columns = {
        **{name: rows[name] for name in rows.column_names},
        "at": pc.if_else(in_tool, recorded, committed),
        "source": pa.repeat(source, n),
        "version": pa.repeat(version, n),
        "who": pc.if_else(gone, pa.scalar(None, pa.string()), rows["annotator_after"]),
        "what": details,
    }
    return pa.table({f.name: columns[f.name] for f in HISTORY}).cast(HISTORY)


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}
