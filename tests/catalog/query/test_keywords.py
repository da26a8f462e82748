from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.query import compile_query, from_keywords, parse, to_text
from cv_pipeline.catalog.query.fields import FIELDS, Kind
from cv_pipeline.catalog.query.keywords import KEYWORDS
from cv_pipeline.errors import QueryError
from tests.catalog.query.random_queries import values_of


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({}, "all images"),
        (
            {"tags_count": 0, "metadata": {"scene": "outdoor"}, "date_range": "2025-Q4"},
            "tags_count = 0 and metadata.scene = 'outdoor' and date_range = '2025-Q4'",
        ),
        # nothing is said
        ({"labelled": None, "where": None, "width": None, "limit": None}, ""),
        # numbers
        ({"tags_count": (1, 3)}, "tags_count between 1 and 3"),
        ({"tags_count": [1, 3]}, "tags_count in (1, 3)"),
        ({"tags_count": {"between": [1, 3]}}, "tags_count between 1 and 3"),
        ({"width": {">=": 1, "<": 5}}, "width >= 1 and width < 5"),
        ({"width": {"in": (1, 3)}}, "width in (1, 3)"),
        ({"brightness": {"!=": 0.3}}, "brightness != 0.3"),
        ({"brightness": {"set": True}}, "brightness is set"),
        ({"brightness": {"set": False, "<": 1}}, "brightness is not set and brightness < 1"),
        ({"width": np.int64(5), "brightness": np.float32(0.5)}, "width = 5 and brightness = 0.5"),
        # text and flags
        ({"format": "JPEG"}, "format = 'JPEG'"),
        ({"format": ["JPEG", "PNG"]}, "format in ('JPEG', 'PNG')"),
        ({"format": {"PNG", "JPEG"}}, "format in ('JPEG', 'PNG')"),
        ({"format": ("JPEG", "PNG")}, "format in ('JPEG', 'PNG')"),
        ({"labelled": True}, "labelled"),
        ({"labelled": False}, "labelled = false"),
        ({"image": ["1a2b3c4d", "b.jpg"]}, "image in ('1a2b3c4d', 'b.jpg')"),
        ({"path": {"starts with": "belt/"}}, "path starts with 'belt/'"),
        # what an image can have several of
        ({"tags": "x"}, "tag = 'x'"),
        ({"tags": ["x", "y"]}, "tag in ('x', 'y')"),
        ({"tags_any": ["x", "y"]}, "tag in ('x', 'y')"),
        ({"tags_any": "x"}, "tag in ('x')"),
        ({"tags_all": ["x", "y"]}, "tags all ('x', 'y')"),
        ({"tags_none": {"y", "x"}}, "tags none ('x', 'y')"),
        ({"set_aside": "x"}, "set_aside = 'x'"),
        ({"set_aside_any": ["x", "y"]}, "set_aside any ('x', 'y')"),
        ({"set_aside_all": ["x", "y"]}, "set_aside all ('x', 'y')"),
        ({"set_aside_none": "x"}, "set_aside none ('x')"),
        ({"set_aside": {"set": False}}, "set_aside is not set"),
        ({"tag": {"set": False}}, "tag is not set"),
        ({"labels": ["x"], "annotator": "a"}, "label in ('x') and annotator = 'a'"),
        ({"labels_all": ["x", "y"]}, "label all ('x', 'y')"),
        # metadata and similarity
        ({"metadata": {"scene": ["a", "b"]}}, "metadata.scene in ('a', 'b')"),
        ({"metadata": {"scene": ("a", "b")}}, "metadata.scene in ('a', 'b')"),
        ({"metadata": {"age": (20, 30)}}, "metadata.age between 20 and 30"),
        ({"metadata": {"age": {">": 3}}}, "metadata.age > 3"),
        (
            {"metadata": {"a": None, "b": {"set": True}}},
            "metadata.a is not set and metadata.b is set",
        ),
        ({"metadata": {"any key": "x"}}, "metadata['any key'] = 'x'"),
        ({"similarity": {"a.jpg": {">": 0.9}}}, "similarity('a.jpg') > 0.9"),
        # dates
        ({"date_range": 2025}, "date_range = '2025'"),
        ({"date_range": dt.date(2025, 11, 3)}, "date_range = '2025-11-03'"),
        (
            {"date_range": (dt.date(2025, 11, 3), dt.datetime(2025, 11, 4, 8, tzinfo=dt.UTC))},
            "date_range between '2025-11-03' and '2025-11-04T08:00:00+00:00'",
        ),
        (
            {"captured_at": "2025", "ingested": {">=": "2026"}},
            "date_range='2025' and ingested>='2026'",
        ),
        # dataset versions; with one, split is a split of it
        ({"dataset": "d"}, "dataset('d')"),
        ({"dataset": ["d", "e"]}, "dataset('d') or dataset('e')"),
        ({"dataset": "d", "split": "test"}, "dataset('d', split = 'test')"),
        ({"split": ["val", "test"], "dataset": "d"}, "dataset('d', split in ('val', 'test'))"),
        ({"split": "test"}, "split = 'test'"),
        # with a text
        ({"where": "width > 5"}, "width > 5"),
        ({"where": "width > 5 or bands = 4", "tag": "x"}, "(width > 5 or bands = 4) and tag = 'x'"),
        (
            {"where": "width > 5 limit 3", "seed": 1, "sample": 9},
            "width > 5 sample 9 seed 1 limit 3",
        ),
        # clauses
        (
            {"sample": 5, "sample_by": "metadata.scene", "seed": 7},
            "sample 5 by metadata.scene seed 7",
        ),
        ({"order_by": "width", "limit": 3}, "order by width limit 3"),
        ({"order_by": "width, height desc"}, "order by width, height desc"),
        ({"order_by": ["width", "height desc"]}, "order by width, height desc"),
        ({"order_by": "similarity('a.jpg') desc"}, "order by similarity('a.jpg') desc"),
    ],
)
def test_keywords_and_text_are_one_language(keywords: dict[str, Any], text: str) -> None:
    query = from_keywords(**keywords)
    assert query == parse(text)
    assert parse(to_text(query)) == query


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"widht": 5}, "There is no keyword 'widht'. Did you mean 'width'"),
        ({"tag_all": ["x"]}, "There is no keyword 'tag_all'. Did you mean 'tags_all'"),
        ({"scene": "yard"}, "There is no keyword 'scene'"),
        ({"width": "5"}, "width is a number, and cannot be compared with '5'"),
        ({"width": {"~": 5}}, "width: '~' is no comparison.*Known: !=, <"),
        ({"width": {}}, "width is an empty mapping. Compare by ="),
        ({"width": []}, "width is compared with an empty list"),
        ({"width": (1, 2, "x")}, "cannot be compared with 'x'"),
        ({"width": (5, 1)}, "Nothing is between 5 and 1"),
        ({"width": {"between": [1, 2, 3]}}, "between takes two values"),
        ({"width": {"set": 1}}, "set is true or false, not 1"),
        ({"width": {"in": 5}}, "width takes a list, not 5"),
        ({"width": object()}, "width cannot be compared with <object"),
        ({"width": float("nan")}, "nan is no number that anything can equal"),
        ({"tags_all": 5}, "tags_all takes a list, not 5"),
        ({"tags_any": []}, "tag is compared with an empty list"),
        ({"tags_all": []}, "tag is compared with an empty list"),
        ({"tags_any": [5]}, "tag is text, and cannot be compared with 5"),
        ({"metadata": "x"}, "metadata takes a mapping.*Write metadata={'scene': 'outdoor'}"),
        ({"metadata": {}}, "metadata takes a mapping"),
        ({"metadata": {5: "x"}}, "metadata takes text, not 5"),
        ({"metadata": {"a": True}}, r"metadata\.a is text, or a number"),
        ({"date_range": "soon"}, "Date range 'soon' cannot be used.*Accepted forms"),
        ({"dataset": 5}, "dataset takes text, not 5"),
        ({"dataset": []}, "dataset is an empty list"),
        ({"dataset": ""}, "does not say of which version"),
        ({"where": 5}, "where takes text, not 5"),
        ({"where": "widht > 5"}, r"no field 'widht'[\s\S]*\^"),
        ({"where": "width > 5 limit 3", "limit": 4}, "limit is said twice"),
        ({"where": "sample 3", "sample": 4}, "sample is said twice"),
        ({"where": "order by width", "order_by": "height"}, "order_by is said twice"),
        ({"seed": 4}, "seed is about a sample"),
        ({"where": "sample 3", "sample_by": "batch"}, "sample_by is about a sample"),
        ({"sample": 0}, "size of a sample must be a whole number from 1 on, not 0"),
        ({"sample": "5"}, "size of a sample must be a whole number from 1 on, not '5'"),
        ({"sample": True}, "not True"),
        ({"sample": 5, "seed": 0.5}, "The seed must be a whole number from 0 on, not 0.5"),
        ({"sample": 5, "sample_by": "tag"}, "several of tag"),
        ({"limit": -1}, "The limit must be a whole number from 1 on, not -1"),
        ({"order_by": 5}, "order_by takes text such as 'brightness desc', not 5"),
        ({"order_by": ["widht"]}, "no field 'widht'"),
    ],
)
def test_keywords_that_make_no_sense(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        from_keywords(**keywords)


def test_every_field_of_an_image_is_a_keyword() -> None:
    for spec in FIELDS["images"].values():
        if spec.key != "model":  # results('m').score has brackets
            assert spec.name in KEYWORDS
            assert set(spec.aliases) <= set(KEYWORDS)


SCALARS = [s for s in FIELDS["images"].values() if s.key is None and s.kind is not Kind.DATE]


@settings(deadline=None)
@given(data=st.data())
def test_any_value_of_any_field_is_the_same_in_both_forms(data: st.DataObject) -> None:
    spec = data.draw(st.sampled_from(SCALARS))
    value = data.draw(values_of(spec.kind))
    values = data.draw(st.lists(values_of(spec.kind), min_size=1, max_size=3))
    for wanted in (value, values):
        query = from_keywords(**{spec.name: wanted})
        compiled = compile_query(query)
        assert parse(compiled.text) == query
        bound = list(compiled.parameters.values())
        assert spec.kind is Kind.IMAGE or bound == (values if wanted is values else [value])
