"""Which of several annotations goes first: order by time of change, and the first of each group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def changed_at(rows: pa.Table) -> pa.Array | pa.ChunkedArray:
    """Microseconds since 1970 at which rows last changed; the least int64 where nobody knows.

    Args:
        rows: columns ``updated_at`` and ``created_at``.
    """
    last = pc.coalesce(rows["updated_at"], rows["created_at"])
    return pc.cast(last, pa.int64()).fill_null(np.iinfo(np.int64).min)


def first_of_each(
    rows: pa.Table, *, keys: Sequence[str], order: Sequence[tuple[str, str]]
) -> pa.Table:
    """Return one row of each key, sorted by key.

    Args:
        rows: any table; keys are never null.
        keys: columns that make a group.
        order: columns and directions, as ``sort_by`` takes them, by which the first is found.
    """
    ordered = rows.sort_by([*((key, "ascending") for key in keys), *order])
    first = np.zeros(len(ordered), dtype=bool)
    first[:1] = True
    for key in keys:
        column = ordered[key].combine_chunks()
        differs = pc.not_equal(column.slice(1), column.slice(0, max(len(column) - 1, 0)))
        first[1:] |= differs.to_numpy(zero_copy_only=False)
    return ordered.filter(pa.array(first))


def least_of_each(key: NDArray[np.int64], *by: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ascending rows that are least of their key, by one column after another.

    Args:
        key: (N,) group of each row, at least 0.
        by: (N,) columns; rows of a group that are equal in all of them are all given.
    """
    if len(key) and key.max() > 4 * len(key):  # too sparse for a table of all keys
        key = np.unique(key, return_inverse=True)[1]
    rows = np.arange(len(key))
    for values in by:
        least = np.full(int(key.max(initial=0)) + 1, np.iinfo(np.int64).max)
        np.minimum.at(least, key[rows], values[rows])
        rows = rows[values[rows] == least[key[rows]]]
    return rows


def place_of_text(values: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """(N,) place of each text in the order of the distinct ones; none is null."""
    chunked = pa.chunked_array([values]) if isinstance(values, pa.Array) else values
    coded = pc.dictionary_encode(chunked).combine_chunks()
    place = np.empty(len(coded.dictionary), np.int64)
    place[pc.sort_indices(coded.dictionary).to_numpy()] = np.arange(len(place))
    return np.asarray(place[coded.indices.to_numpy()])
