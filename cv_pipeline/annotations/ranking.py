"""Which of several annotations goes first: order by time of change, and the first of each group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


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
