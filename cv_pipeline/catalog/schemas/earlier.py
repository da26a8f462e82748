"""Rows that an earlier release wrote, with the columns that there were not then."""

from __future__ import annotations

import pyarrow as pa

EARLIER = {"role": "annotator"}
"""What a column means in rows that were written before there was it; others are null."""


def with_earlier(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with every column of a schema, as they are or as they were meant.

    Args:
        rows: any of the columns; those that the schema lacks are left out.
        schema: the schema.

    Raises:
        KeyError: a column is missing that may not be null, and no earlier release lacked it.
    """
    for field in schema:
        if field.name in rows.column_names:
            continue
        if field.name not in EARLIER and not field.nullable:
            raise KeyError(f"it has no column {field.name}")
        meant = pa.repeat(pa.scalar(EARLIER.get(field.name), field.type), len(rows))
        rows = rows.append_column(field, meant)
    return rows.select(schema.names)
