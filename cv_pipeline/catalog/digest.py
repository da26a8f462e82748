"""Content digests of tables: the same rows give the same SHA-256 everywhere.

A digest does not depend on the order of rows or columns, on chunking, on the width of an integer,
nor on the machine. A null and an empty string differ, and so do two texts that only look alike
when they are joined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv


def table_digest(table: pa.Table, *, schema_id: str, sort_by: Sequence[str]) -> str:
    """SHA-256 of a table's content, as 64 lower-case hex digits.

    The columns are put in order of name, the rows in order of ``sort_by`` and then of the other
    columns, and the whole is hashed as canonical CSV (RFC 4180, UTF-8, a header, ``\\n``; text
    quoted, nulls empty and unquoted, floats in their shortest form) after ``schema_id``.

    Args:
        table: columns of numbers, booleans, text, binary or times; no nesting.
        schema_id: name and version of what the rows mean, such as ``dataset-annotations/1``.
        sort_by: columns to sort by first.
    """
    names = sorted(table.schema.names)
    first = list(dict.fromkeys(sort_by))
    order = first + [name for name in names if name not in first]
    table = _canonical(table.select(names))
    if table.num_rows > 1:
        table = table.take(pc.sort_indices(table, sort_keys=[(n, "ascending") for n in order]))
    sink = _HashSink(schema_id)
    pacsv.write_csv(
        table, pa.PythonFile(sink, mode="w"), write_options=pacsv.WriteOptions(batch_size=65_536)
    )
    return sink.hash.hexdigest()


def combined_digest(*parts: str) -> str:
    """SHA-256 of several texts in order, as 64 lower-case hex digits.

    Each part is preceded by its length, so that ``("ab", "c")`` and ``("a", "bc")`` differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def _canonical(table: pa.Table) -> pa.Table:
    """Values that are equal but can be written in two ways, written in one way."""
    for index, field in enumerate(table.schema):
        column = table.column(index)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        elif pa.types.is_floating(field.type):
            column = pc.add(column, pa.scalar(0, field.type))  # -0.0 becomes 0.0
        elif pa.types.is_timestamp(field.type):
            column = column.cast(pa.timestamp("us", tz=field.type.tz))
        elif pa.types.is_fixed_size_binary(field.type):
            column = column.cast(pa.binary())
        else:
            continue
        table = table.set_column(index, field.name, column)
    return table


class _HashSink:
    """A file that hashes what is written to it."""

    closed = False

    def __init__(self, schema_id: str) -> None:
        self.hash = hashlib.sha256(combined_digest(schema_id).encode())

    def write(self, data: Any) -> int:
        self.hash.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """The hash stays readable."""
