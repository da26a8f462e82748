from __future__ import annotations

import datetime as dt
import hashlib
import math
import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.digest import combined_digest, table_digest

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "a": st.none() | st.text(max_size=4),
            "b": st.none() | st.integers(-(2**40), 2**40),
            "c": st.none() | st.floats(),
            "d": st.none() | st.booleans(),
            "e": st.none() | st.binary(max_size=3).filter(lambda b: all(x < 128 for x in b)),
        }
    ),
    max_size=12,
)
SCHEMA = pa.schema(
    [
        ("a", pa.string()),
        ("b", pa.int64()),
        ("c", pa.float64()),
        ("d", pa.bool_()),
        ("e", pa.binary()),
    ]
)


def digest(table: pa.Table) -> str:
    return table_digest(table, schema_id="test/1", sort_by=["a"])


@settings(deadline=None)
@given(rows=ROWS, seed=st.integers(0, 2**32))
def test_order_of_rows_and_columns_and_chunks_do_not_matter(rows: list, seed: int) -> None:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    shuffled = rows.copy()
    random.Random(seed).shuffle(shuffled)
    cut = seed % (len(rows) + 1)
    other = pa.concat_tables(
        [pa.Table.from_pylist(part, schema=SCHEMA) for part in (shuffled[:cut], shuffled[cut:])]
    ).select(["d", "c", "a", "e", "b"])
    assert digest(other) == digest(table)


def canonical(rows: list) -> list:
    def text(value: object) -> str:
        if isinstance(value, float):
            return "nan" if math.isnan(value) else repr(value + 0.0)
        return repr(value)

    return sorted(tuple(text(row[name]) for name in SCHEMA.names) for row in rows)


@settings(deadline=None, max_examples=200)
@given(first=ROWS, second=ROWS)
def test_digests_are_equal_exactly_when_the_rows_are(first: list, second: list) -> None:
    one, two = (digest(pa.Table.from_pylist(rows, schema=SCHEMA)) for rows in (first, second))
    assert (one == two) == (canonical(first) == canonical(second))


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (pa.array([1], pa.int32()), pa.array([1], pa.int64()), True),  # width of an integer
        (pa.array([0.0]), pa.array([-0.0]), True),
        (pa.array([math.nan]), pa.array([-math.nan]), True),
        (pa.array([math.nan]), pa.array([None], pa.float64()), False),
        (pa.array(["x"]), pa.array(["x"]).dictionary_encode(), True),
        (pa.array(["x"]), pa.array(["x"], pa.large_string()), True),
        (pa.array([b"ab"], pa.binary(2)), pa.array([b"ab"]), True),
        (pa.array([""]), pa.array([None], pa.string()), False),
        (pa.array(["1"]), pa.array([1]), False),
        (pa.array([0.1]), pa.array([math.nextafter(0.1, 1)]), False),
        (
            pa.array([dt.datetime(2025, 1, 1)], pa.timestamp("ms", "UTC")),
            pa.array([dt.datetime(2025, 1, 1)], pa.timestamp("us", "UTC")),
            True,
        ),
    ],
)
def test_equal_values_of_other_types(left: pa.Array, right: pa.Array, same: bool) -> None:
    one = table_digest(pa.table({"v": left}), schema_id="t/1", sort_by=[])
    two = table_digest(pa.table({"v": right}), schema_id="t/1", sort_by=[])
    assert (one == two) == same


def test_the_digest_is_the_same_on_every_machine_and_day() -> None:
    table = pa.table(
        {
            "text": ["b", 'a "quoted", text\n', None, ""],
            "number": [1 / 3, 1e22, None, 5e-324],
            "when": pa.array(
                [dt.datetime(2025, 1, 1, tzinfo=dt.UTC)] * 4, pa.timestamp("us", "UTC")
            ),
        }
    )
    found = table_digest(table, schema_id="golden/1", sort_by=["text"])
    at = "2025-01-01 00:00:00.000000Z"
    lines = [
        '"number","text","when"',
        f'5e-324,"",{at}',
        f'1e+22,"a ""quoted"", text\n",{at}',
        f'0.3333333333333333,"b",{at}',
        f",,{at}",  # a null
    ]
    head = hashlib.sha256(b"8:golden/1").hexdigest()
    expected = hashlib.sha256((head + "\n".join(lines) + "\n").encode()).hexdigest()
    assert found == expected
    assert found == "af97bea8e6fbf266d2eeadffb47762568c74283368e7d44c79fd8545e700b70c"
    assert table_digest(table, schema_id="golden/2", sort_by=["text"]) != found
    assert table_digest(table.slice(0, 0), schema_id="golden/1", sort_by=["text"]) != found


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_combined_digests_differ_when_their_parts_do(one: list[str], two: list[str]) -> None:
    assert (combined_digest(*one) == combined_digest(*two)) == (one == two)
