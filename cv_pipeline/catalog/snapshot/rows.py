"""Rows of mapped tables by number of the image, touching only the pages that they lie on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def take_rows(table: pa.Table, numbers: NDArray[np.int32]) -> pa.Table:
    """The rows of some numbers, in their order; what is stored as a dictionary becomes text.

    Args:
        table: a row for each image, in the order of the numbers.
        numbers: rows to take.
    """
    in_order = bool((numbers[1:] > numbers[:-1]).all())
    if in_order and len(numbers) == len(table):
        taken = table
    elif in_order:  # a batch at a time, which is many times as fast as across all of them
        batches = table.to_batches()
        ends = np.cumsum([len(batch) for batch in batches])
        pieces = np.split(numbers, np.searchsorted(numbers, ends[:-1])) if batches else []
        parts = [
            batch.take(pa.array(piece - (end - len(batch))))
            for batch, piece, end in zip(batches, pieces, ends, strict=True)
            if len(piece)
        ]
        taken = pa.Table.from_batches(parts, schema=table.schema)
    else:
        taken = table.take(pa.array(numbers))
    return taken.cast(plain_schema(table.schema))


def rows_of(table: pa.Table, number: int) -> pa.Table:
    """The rows about one image.

    Args:
        table: sorted by its column ``n``.
        number: the image.
    """
    column = table["n"]
    starts = np.array([chunk[0].as_py() for chunk in column.chunks if len(chunk)], np.int32)
    chunks = [chunk.to_numpy() for chunk in column.chunks if len(chunk)]
    ends = np.cumsum([0, *(len(chunk) for chunk in chunks)])
    begin = end = 0
    for index in range(
        max(0, int(np.searchsorted(starts, number, "left")) - 1),
        int(np.searchsorted(starts, number, "right")),
    ):
        low, high = np.searchsorted(chunks[index], [number, number + 1]) + ends[index]
        begin = int(low) if end == 0 else begin
        end = int(high)
    return table.slice(begin, end - begin).cast(plain_schema(table.schema))


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """A schema with text in place of dictionaries of text."""
    return pa.schema(
        [
            pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type)
            for f in schema
        ]
    )
