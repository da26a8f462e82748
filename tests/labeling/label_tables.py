"""Tables of batches, tasks and annotations of a tool, written without one, column by column."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.catalog.quarantine import Refusal, reconcile_refusals
from cv_pipeline.catalog.schemas import (
    IMAGE_BATCHES,
    LABELING_TASKS,
    TOOL_ANNOTATIONS,
    TOOL_PEOPLE,
)
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.labeling.exchange.findings import STAGE, field_of, file_of

Names = NDArray[np.str_]

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
"""A Monday."""


def image_ids(count: int, *, seed: str = "") -> list[str]:
    """Ids of images that are nowhere."""
    return [hashlib.sha256(f"{seed}{n}".encode()).hexdigest() for n in range(count)]


def table_of(schema: pa.Schema, rows: int, **columns: Any) -> pa.Table:
    """Rows of a schema: a list or array is a column, another value is that of every row.

    What is not said is null, or the empty value of its type.
    """
    arrays = []
    for field in schema:
        value = columns.pop(field.name, None)
        if value is None and not field.nullable:
            value = {pa.string(): "", pa.bool_(): False}.get(field.type, 0)
        if not isinstance(value, list | np.ndarray | pa.Array):
            value = pa.repeat(pa.scalar(value, field.type), rows)
        arrays.append(pa.array(value, field.type) if not isinstance(value, pa.Array) else value)
    assert not columns, f"no column of the schema: {sorted(columns)}"
    return pa.Table.from_arrays(
        [a.cast(f.type) for a, f in zip(arrays, schema, strict=True)], schema=schema
    )


def set_aside(
    catalog: Catalog,
    batch: str | Names,
    images: Sequence[str] | Names,
    *,
    purpose: str = "label",
    at: datetime = START,
) -> None:
    """Set images aside as a batch."""
    rows = table_of(
        IMAGE_BATCHES,
        len(images),
        name=batch,
        image_id=list(images),
        purpose=purpose,
        state="open",
        at=at,
    )
    catalog.table("image_batches").append(rows)


def push(
    catalog: Catalog,
    batch: str | Names,
    images: Sequence[str] | Names,
    *,
    at: datetime = START,
    tool_project: int = 1,
    **columns: Any,
) -> None:
    """Write the tasks of a batch, as pushing does."""
    rows = table_of(
        LABELING_TASKS,
        len(images),
        **{
            "batch": batch,
            "image_id": list(images),
            "tool_project": tool_project,
            "task": np.arange(len(images)) + 1000 * tool_project,
            "pushed_at": at,
            "state": "pushed",
            **columns,
        },
    )
    catalog.table("labeling_tasks").merge(rows, on=["batch", "image_id"])


_numbers = iter(range(1, 10**9))


def annotate(
    catalog: Catalog,
    batch: str | Names,
    images: Sequence[str] | Names,
    annotator: str | list[str],
    *,
    at: datetime | list[datetime] = START + timedelta(hours=1),
    lead_time: Any = 30.0,
    **columns: Any,
) -> list[int]:
    """Write one annotation by somebody on each of some images, as pulling does; returns the ids."""
    ids = [next(_numbers) for _ in images]
    rows = table_of(
        TOOL_ANNOTATIONS,
        len(images),
        **{
            "tool_project": 1,
            "annotation": ids,
            "image_id": list(images),
            "batch": batch,
            "annotator": annotator,
            "updated_at": at,
            "created_at": at,
            "seen_at": at,
            "lead_time": lead_time,
            "result": "[]",
            **columns,
        },
    )
    catalog.table("tool_annotations").append(rows)
    return ids


def members(catalog: Catalog, *names: str, present: bool = True) -> None:
    """Write down that people have an account in the tool, as pushing and pulling do."""
    rows = table_of(
        TOOL_PEOPLE,
        len(names),
        account=[next(_numbers) for _ in names],
        annotator=list(names),
        present=present,
        at=START,
    )
    catalog.table("tool_people").merge(rows, on=["account"])


def refuse(
    catalog: Catalog, annotations: Sequence[int], reason: str = "forged_annotator", *, task: int = 0
) -> None:
    """Quarantine annotations of the tool, as a pull does."""
    refusals = [Refusal(file_of(1), field_of(task, a), reason, "") for a in annotations]
    within = one_of("field", [r.field for r in refusals])
    reconcile_refusals(catalog, stage=STAGE, refusals=refusals, within=within)
