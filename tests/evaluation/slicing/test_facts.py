"""What slices are made of, and that the query of each selects the very images."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.query import parse
from cv_pipeline.catalog.query.nodes import Field
from cv_pipeline.catalog.query.text import condition_text
from cv_pipeline.evaluation.slicing.facts import (
    PROPERTIES,
    Declared,
    Known,
    declared_facts,
    image_facts,
    named_condition,
    of_column,
)
from cv_pipeline.vocabulary import IMAGE_PROPERTIES

KEY = Field("metadata", key="depth")


def fact_of(values: list, *, least: int = 1, name: str = "depth", field: Field = KEY):
    return of_column(name, pa.array(values), field, least=least)


def test_texts_are_values_in_order_with_what_is_not_set_last():
    fact = fact_of(["deep", "shallow", None, "deep"])
    assert [(v.text, v.words, v.query) for v in fact.values] == [
        ("deep", "depth = deep", "metadata.depth = 'deep'"),
        ("shallow", "depth = shallow", "metadata.depth = 'shallow'"),
        (None, "depth not set", "metadata.depth is not set"),
    ]
    assert fact.codes.tolist() == [0, 1, 2, 0]


def test_values_of_few_images_are_not_looked_at():
    fact = fact_of(["a"] * 5 + ["b"] * 4 + ["c"] * 3, least=4)
    assert [v.text for v in fact.values] == ["a", "b"]
    assert fact.codes.tolist() == [0] * 5 + [1] * 4 + [2] * 3


@pytest.mark.parametrize("values", [["a"] * 9, [f"serial {n}" for n in range(9)], [None] * 9])
def test_what_has_no_two_large_values_is_no_fact(values):
    assert fact_of(values, least=2) is None


def test_numbers_are_ranges_that_end_at_round_numbers():
    fact = fact_of([str(n / 7) for n in range(100)])
    assert [(v.words, v.query) for v in fact.values] == [
        ("depth below 2.83", "metadata.depth < 2.83"),
        ("depth 2.83 to 5.66", "metadata.depth >= 2.83 and metadata.depth < 5.66"),
        ("depth 5.66 to 8.49", "metadata.depth >= 5.66 and metadata.depth < 8.49"),
        ("depth 8.49 to 11.3", "metadata.depth >= 8.49 and metadata.depth < 11.3"),
        ("depth 11.3 or more", "metadata.depth >= 11.3"),
    ]


def test_whole_numbers_are_divided_at_whole_numbers():
    fact = fact_of(list(range(12)) * 2)
    assert [v.text for v in fact.values][:2] == ["below 2", "2 to 5"]  # not 4.2


@settings(deadline=None)
@given(
    st.lists(
        st.none() | st.floats(-1e6, 1e6, allow_nan=False) | st.sampled_from([0.0, 0.5, 1e-9, -3.0]),
        min_size=1,
        max_size=60,
    )
)
def test_ranges_hold_the_numbers_that_their_words_say(values):
    fact = of_column("brightness", pa.array(values, pa.float64()), Field("brightness"), least=1)
    if fact is None:
        return
    assert len(fact.codes) == len(values)
    for number, code in zip(values, fact.codes, strict=True):
        text = fact.values[code].text
        if number is None:
            assert text is None
        elif text.startswith("below"):
            assert number < float(text.split()[1])
        elif text.endswith("or more"):
            assert number >= float(text.split()[0])
        elif " to " in text:
            low, _, high = text.split()
            assert float(low) <= number < float(high)
        else:
            assert float(text) == number


@settings(deadline=None)  # the first reads the grammar
@given(st.lists(st.sampled_from(["a", "it's", "9", "x y", "é"]), min_size=4, max_size=20))
def test_every_query_can_be_read(values):
    fact = of_column("a key", pa.array(values), Field("metadata", key="a key"), least=1)
    for value in fact.values if fact else ():
        assert condition_text(parse(value.query).where) == value.query
        assert named_condition("a key", value.text) == value.query


@pytest.mark.parametrize(
    ("name", "text", "query"),
    [
        ("brightness", "below 0.21", "brightness < 0.21"),
        ("brightness", "0.21 to 0.4", "brightness >= 0.21 and brightness < 0.4"),
        ("width", "640", "width = 640"),
        ("format", "JPEG", "format = 'JPEG'"),
        ("lighting", None, "metadata.lighting is not set"),
        ("lighting", "1e-05 or more", "metadata.lighting >= 1e-05"),
        ("date_range", "2025-11", "date_range = '2025-11'"),
    ],
)
def test_a_value_is_asked_for_by_name(name, text, query):
    assert named_condition(name, text) == query
    assert condition_text(parse(query).where) == query or name == "date_range"


def test_all_that_is_known_of_images():
    size = 40
    images = pa.table(
        {
            "image_id": [f"{n:02}" for n in range(size)],
            "format": ["JPEG", "PNG"] * 20,
            "width": np.repeat([100, 200], 20),
            "captured_at": pa.array(
                [datetime(2025, 1 + n % 2, 3, tzinfo=UTC) for n in range(size)],
                pa.timestamp("us", tz="UTC"),
            ),
        }
    )
    metadata = pa.table(
        {
            "image_id": [f"{n:02}" for n in range(size)] * 2,
            "key": ["camera"] * size + ["serial"] * size,
            "value": ["left", "right"] * 20 + [f"no {n}" for n in range(size)],
        }
    )
    measures = pa.table(
        {"image_id": [f"{n:02}" for n in range(size)]}
        | {
            name: np.linspace(0, 1, size)
            for name in ("brightness", "contrast", "sharpness", "saturation", "hue")
        }
    )
    facts, left_out = image_facts(
        images, metadata, Known(measures=measures), objects=np.arange(size) // 10, least=5
    )
    assert [f.name for f in facts] == [
        *("camera", "format", "width"),
        *("brightness", "contrast", "sharpness", "saturation", "hue"),
        *("date_range", "annotations_count"),
    ]
    assert len(left_out) == 1
    assert left_out[0].startswith("serial has 40 values on 40 images")


def test_a_declared_query_is_a_fact_of_one_value():
    query = Declared("tag = 'night'", pa.array(["b", "z"]))
    (fact,) = declared_facts(pa.array(["a", "b"]), {"at night": query})
    assert fact.codes.tolist() == [1, 0]
    assert (fact.values[0].words, fact.values[0].query) == ("at night", "tag = 'night'")


@pytest.mark.parametrize(("more", "queries"), [(0, True), (1, False)])
def test_a_number_of_objects_is_asked_for_where_the_lake_has_as_many_annotations(more, queries):
    size = 40
    ids = [f"{n:02}" for n in range(size)]
    objects = np.arange(size) % 4
    counted = pa.table({"image_id": ids[::-1], "annotations_count": objects[::-1] + more})
    none = pa.table({"image_id": [], "key": [], "value": []})
    facts, _ = image_facts(
        pa.table({"image_id": ids}), none, Known(annotations=counted), objects=objects, least=5
    )
    (density,) = (f for f in facts if f.name == "annotations_count")
    assert [v.query for v in density.values] == [
        f"annotations_count = {n}" if queries else "" for n in range(4)
    ]


def test_no_query_may_be_declared_under_the_name_of_a_property() -> None:
    assert IMAGE_PROPERTIES == PROPERTIES
