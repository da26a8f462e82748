"""What a click on a filter makes of a query, whatever text labels and tags hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.query import QueryNode, parse
from cv_pipeline.catalog.query.nodes import Field
from cv_pipeline.errors import QueryError
from cv_pipeline.inspector.images.conditions import (
    Choice,
    choice_of,
    field_of,
    filter_name,
    read,
    text_of,
    toggled,
    without,
)
from cv_pipeline.inspector.images.refine import refined

HOSTILE = (
    "it's",
    "' or 1 = 1 --",
    '"; drop table images',
    "<script>alert(1)</script>",
    "a\nb",
    "\\",
    "''",
    " ",
    "and",
    "ü 漢字 🦊",
    "%s {x} $p1",
)
TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1)
FIELDS = st.one_of(
    st.sampled_from([Field("label"), Field("tag"), Field("annotator"), Field("split")]),
    TEXT.map(lambda key: Field("metadata", key)),
)
BEFORE = (
    "",
    "width > 10",
    "label = 'x' or tag = 'y'",
    "not (label = 'a' and brightness < 0.5)",
    "all images sample 5 seed 1 order by brightness desc limit 3",
    "annotations(label = 'kiwi') >= 2 and metadata.scene in ('a', 'b')",
)


@settings(deadline=None)
@given(field=FIELDS, value=TEXT, before=st.sampled_from(BEFORE))
def test_a_value_stays_a_value(field: Field, value: str, before: str) -> None:
    query = read(before)
    text = text_of(toggled(query, field, value, "toggle"))
    again = read(text)
    assert value in choice_of(again, field).values
    # and nothing else has changed
    assert without(again, field) == without(query, field)


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_are_asked_for_as_they_are(value: str) -> None:
    for name in ("label", "tag", f"metadata:{value}"):
        text = text_of(refined(QueryNode(), name, value))
        assert choice_of(parse(text), field_of(name)).values == (value,)
        assert text_of(refined(parse(text), name, value)) == ""


@settings(deadline=None)
@given(field=FIELDS, values=st.lists(TEXT, min_size=1, max_size=4, unique=True))
def test_a_second_click_takes_back(field: Field, values: list[str]) -> None:
    query = QueryNode()
    for value in values:
        query = toggled(query, field, value, "toggle")
    assert choice_of(read(text_of(query)), field).values == tuple(values)
    for value in values:
        query = toggled(query, field, value, "toggle")
    assert query == QueryNode()


@pytest.mark.parametrize(
    ("before", "name", "value", "how", "after"),
    [
        # what an image has one of: any of the values
        ("split = 'a'", "split", "b", "toggle", "split in ('a', 'b')"),
        ("split in ('a', 'b')", "split", "a", "toggle", "split = 'b'"),
        # what it can have several of: all of them
        ("tag = 'a'", "tag", "b", "toggle", "tag = 'a' and tag = 'b'"),
        # the place in the query is kept
        (
            "split = 'a' and width > 1",
            "split",
            "b",
            "toggle",
            "split in ('a', 'b') and width > 1",
        ),
        # without it, and that taken back; the one excludes the other
        ("", "tag", "b", "exclude", "not tag = 'b'"),
        ("not tag = 'b'", "tag", "b", "exclude", ""),
        ("tag = 'b'", "tag", "b", "exclude", "not tag = 'b'"),
        ("not tag = 'b'", "tag", "b", "toggle", "tag = 'b'"),
        # no value at all
        ("metadata.x = '1'", "metadata:x", None, "toggle", "metadata.x is not set"),
        ("metadata.x is not set", "metadata:x", None, "toggle", ""),
        ("metadata.x is not set", "metadata:x", "1", "toggle", "metadata.x = '1'"),
        ("tag = 'a' and not tag = 'b' and width > 1", "tag", None, "clear", "width > 1"),
        # within brackets and ors nothing is touched
        (
            "split = 'a' or width > 1",
            "split",
            "a",
            "toggle",
            "(split = 'a' or width > 1) and split = 'a'",
        ),
        # states
        ("", "state", "unlabelled", "toggle", "labelled = false"),
        ("labelled = false", "state", "unlabelled", "toggle", ""),
        ("labelled = false", "state", "labelled", "toggle", "labelled"),
        ("", "state", "contested", "toggle", "disagreement > 0"),
        # order, sample and limit stay, and the order can be changed
        ("width > 1 limit 5", "tag", "a", "toggle", "width > 1 and tag = 'a' limit 5"),
        (
            "width > 1 order by width",
            "order",
            "path desc",
            "toggle",
            "width > 1 order by path desc",
        ),
        ("width > 1 order by width", "order", "", "toggle", "width > 1"),
    ],
)
def test_clicks(before: str, name: str, value: str | None, how: str, after: str) -> None:
    assert text_of(refined(read(before), name, value, how)) == after


def test_a_range_takes_the_place_of_a_range() -> None:
    query = refined(read("brightness > 0.2"), "brightness", None, "range", low=0.1, high=0.5)
    assert text_of(query) == "brightness between 0.1 and 0.5"
    query = refined(query, "brightness", None, "range", high=0.4)
    assert text_of(query) == "brightness <= 0.4"
    assert choice_of(query, Field("brightness")) == Choice(high=0.4)
    assert text_of(refined(query, "brightness", None, "range")) == ""


@pytest.mark.parametrize(
    ("name", "value", "how", "match"),
    [
        ("nothing", "x", "toggle", "no field 'nothing'"),
        ("tag", "x", "sideways", "no way to filter"),
        ("state", "odd", "toggle", "no state 'odd'"),
        ("metadata", "x", "toggle", "stands for many fields"),
        ("results.correct:1234abcd", "maybe", "toggle", "neither true nor false"),
        ("order", "nothing", "toggle", "no field 'nothing'"),
        ("tag", "a\0b", "toggle", "NUL"),
    ],
)
def test_what_cannot_be_filtered(name: str, value: str, how: str, match: str) -> None:
    with pytest.raises(QueryError, match=match):
        text_of(refined(QueryNode(), name, value, how))


def test_names_of_filters_lead_back_to_their_fields() -> None:
    for field in (Field("tag"), Field("metadata", "a:b"), Field("results.score", "1234abcd")):
        assert field_of(filter_name(field)) == field
