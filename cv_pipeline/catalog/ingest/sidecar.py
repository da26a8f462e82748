"""The metadata file beside the images: a CSV with one row for each file.

``path`` says which file; ``captured_at`` (ISO 8601, UTC where no zone is given), ``tags``
(separated by ``;``) and ``split`` are known; every other column is a metadata key. A cell that
cannot be used is refused by row and column, and the rest of its row stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.ingest.csv_table import parse_csv
from cv_pipeline.catalog.ingest.known_files import KnownFiles
from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.project import SplitName

KNOWN_COLUMNS = ("path", "captured_at", "tags", "split")
"""Columns that are not metadata keys."""

SIDECAR_FILES = pa.schema(
    [
        # path of the file in the source
        pa.field("path", pa.string(), nullable=False),
        # capture time, UTC; null when the row does not say
        pa.field("captured_at", pa.timestamp("us", tz="UTC")),
        # split: train, val or test; null when the row does not say
        pa.field("split", pa.string()),
        # its tags; null when the file has no tags column
        pa.field("tags", pa.list_(pa.string())),
    ]
)

SIDECAR_VALUES = pa.schema(
    [
        # path of the file in the source
        pa.field("path", pa.string(), nullable=False),
        # metadata key
        pa.field("key", pa.string(), nullable=False),
        # its value; null for an empty cell, which unsets the key
        pa.field("value", pa.string()),
    ]
)

_ISO = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?"
_PARSE_TIMES = """
SELECT CASE WHEN regexp_full_match(text, $iso) THEN try_cast(text AS TIMESTAMPTZ) END AS moment
FROM texts ORDER BY position
"""


@dataclass(frozen=True)
class Sidecar:
    """What a metadata file says of the files of a source.

    Attributes:
        files: rows of :data:`SIDECAR_FILES`, each path once.
        values: rows of :data:`SIDECAR_VALUES`, each path and key once.
        refusals: rows and cells that could not be used.
    """

    files: pa.Table
    values: pa.Table
    refusals: list[Refusal]


def parse_sidecar(data: bytes, *, file: str, known: KnownFiles) -> Sidecar:
    """Read a metadata file.

    Args:
        data: the file's bytes.
        file: its name, for messages and refusals.
        known: the files that it can be about.

    Raises:
        SourceError: it is no CSV, or has no ``path`` column.
    """
    table = parse_csv(data, file=file, required=["path"])
    refusals = list(table.refusals)
    rows, numbers = table.rows, table.numbers
    named, found = rows["path"], known.match(rows["path"])
    meant = pc.is_valid(found)
    refusals += [
        Refusal(
            file,
            f"row {number}: path",
            "unknown_image",
            f"No image of the source is meant by {name!r} for certain."
            if name
            else "The row names no image.",
        )
        for number, name in _where(pc.invert(meant), numbers, named)
    ]
    first = _first_of_each(found)
    refusals += [
        Refusal(file, f"row {number}: path", "duplicate_row", f"{name!r} has a row above this one.")
        for number, name in _where(pc.and_(meant, pc.invert(first)), numbers, named)
    ]
    keep = pc.and_(meant, first)
    rows, numbers, found = rows.filter(keep), numbers.filter(keep), found.filter(keep)
    captured, late = _times(rows, numbers, file)
    split, other = _splits(rows, numbers, file)
    files = [found, captured, split, _tags(rows)]
    keys = [name for name in rows.schema.names if name not in KNOWN_COLUMNS]
    values = [
        pa.table([found, pa.repeat(pa.scalar(key), len(found)), rows[key]], schema=SIDECAR_VALUES)
        for key in sorted(keys)
    ]
    return Sidecar(
        files=pa.table(files, schema=SIDECAR_FILES),
        values=pa.concat_tables([SIDECAR_VALUES.empty_table(), *values]),
        refusals=refusals + late + other,
    )


def parse_times(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Read ISO 8601 dates and times; one without a zone is UTC.

    Returns:
        Timestamps in microseconds, UTC; null for a null and for what is no time.
    """
    table = pa.table({"text": texts, "position": pa.array(range(len(texts)), pa.int64())})
    moments = run_sql(_PARSE_TIMES, relations={"texts": table}, parameters={"iso": _ISO})["moment"]
    return moments.cast(pa.timestamp("us", tz="UTC")).combine_chunks()


def _times(rows: pa.Table, numbers: pa.Array, file: str) -> tuple[pa.Array, list[Refusal]]:
    if "captured_at" not in rows.schema.names:
        return pa.nulls(len(rows), pa.timestamp("us", tz="UTC")), []
    texts = rows["captured_at"]
    times = parse_times(texts)
    bad = pc.and_(pc.is_valid(texts), pc.is_null(times))
    return times, [
        Refusal(
            file,
            f"row {number}: captured_at",
            "bad_timestamp",
            f"{text!r} is no ISO 8601 date or time, such as 2025-11-03 or 2025-11-03T08:30:00Z.",
        )
        for number, text in _where(bad, numbers, texts)
    ]


def _splits(rows: pa.Table, numbers: pa.Array, file: str) -> tuple[pa.Array, list[Refusal]]:
    if "split" not in rows.schema.names:
        return pa.nulls(len(rows), pa.string()), []
    texts = rows["split"]
    splits = pa.array(get_args(SplitName))
    bad = pc.and_(pc.is_valid(texts), pc.invert(pc.is_in(texts, value_set=splits)))
    usable = pc.if_else(bad, pa.scalar(None, pa.string()), texts)
    return usable, [
        Refusal(
            file,
            f"row {number}: split",
            "unknown_split",
            f"{text!r} is none of {', '.join(get_args(SplitName))}.",
        )
        for number, text in _where(bad, numbers, texts)
    ]


def _tags(rows: pa.Table) -> pa.Array:
    """A sorted list of distinct tags for each row."""
    if "tags" not in rows.schema.names:
        return pa.nulls(len(rows), pa.list_(pa.string()))
    cells = pc.fill_null(rows["tags"], "").to_pylist()
    distinct = {cell: sorted({t.strip() for t in cell.split(";")} - {""}) for cell in set(cells)}
    return pa.array([distinct[cell] for cell in cells], pa.list_(pa.string()))


def _first_of_each(values: pa.ChunkedArray) -> pa.Array:
    """Where a value occurs for the first time."""
    positions = pa.array(range(len(values)), pa.int64())
    first = (
        pa.table({"value": values, "at": positions}).group_by("value").aggregate([("at", "min")])
    )
    return pc.is_in(positions, value_set=first["at_min"])


def _where(
    mask: pa.ChunkedArray, numbers: pa.Array, texts: pa.ChunkedArray
) -> list[tuple[int, str | None]]:
    return list(zip(numbers.filter(mask).to_pylist(), texts.filter(mask).to_pylist(), strict=True))
