from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.snapshot.rows import rows_of, take_rows


def chunked(values: list[int], size: int) -> pa.ChunkedArray:
    pieces = [values[at : at + size] for at in range(0, len(values), size)]
    return pa.chunked_array(pieces, pa.int32())


@settings(deadline=None)
@given(numbers=st.lists(st.integers(0, 6), max_size=20).map(sorted), size=st.integers(1, 4))
def test_the_rows_of_an_image_are_found_across_batches(numbers: list[int], size: int) -> None:
    table = pa.table({"n": chunked(numbers, size), "row": chunked(list(range(len(numbers))), size)})
    for number in range(-1, 8):
        found = rows_of(table, number)["row"].to_pylist()
        assert found == [row for row, n in enumerate(numbers) if n == number]


@settings(deadline=None)
@given(rows=st.integers(0, 9), size=st.integers(1, 4), data=st.data())
def test_rows_are_taken_in_the_order_asked_for(rows: int, size: int, data: st.DataObject) -> None:
    words = chunked(list(range(rows)), size).cast(pa.string()).dictionary_encode()
    table = pa.table({"word": words})
    wanted = st.lists(st.integers(0, rows - 1), max_size=9) if rows else st.just([])
    for chosen in (data.draw(wanted), sorted(set(data.draw(wanted))), list(range(rows))):
        taken = take_rows(table, np.array(chosen, np.int32))
        assert taken.schema.field("word").type == pa.string()
        assert taken["word"].to_pylist() == [str(n) for n in chosen]
