"""What the language promises in words, one example each; the property test covers the rest."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.query import QueryNode, Reference, compile_query, parse
from cv_pipeline.catalog.query.nodes import And, Comparison, Field, Membership, Rows
from tests.catalog.query.small_lakes import SmallLake, image
from tests.catalog.query.test_text import TEXT

SHA = "1a2b3c4d" + "0" * 56


def ask(text: str, *images: dict[str, object]) -> list[int]:
    return SmallLake([image(n, **known) for n, known in enumerate(images)]).ask(parse(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # of three images, one bright, one dark, one not measured
        ("brightness > 0.5", [0]),
        ("brightness <= 0.5", [1]),
        ("not brightness > 0.5", [1, 2]),
        ("brightness != 0.9", [1]),
        ("not brightness = 0.9", [1, 2]),
        ("brightness not in (0.9)", [1, 2]),
        ("brightness between 0 and 1", [0, 1]),
        ("brightness not between 0 and 1", [2]),
        ("brightness is set", [0, 1]),
        ("brightness is not set", [2]),
        ("brightness > 0.5 or not brightness > 0.5", [0, 1, 2]),
        ("not (brightness > 0.5 and width > 1)", [1, 2]),
    ],
)
def test_what_is_unknown_meets_no_comparison_and_every_not(text: str, found: list[int]) -> None:
    assert ask(text, {"brightness": 0.9}, {"brightness": 0.1}, {}) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("metadata.n > 5", [0, 1, 2]),
        ("metadata.n = 10", [1, 2]),
        ("metadata.n = '10'", [1]),
        ("metadata.n > '5'", [0, 4, 5]),
        ("metadata.n != 10", [0]),
        ("metadata.n in (9, 'many')", [0, 4]),
        ("metadata.n is set", [0, 1, 2, 4, 5]),
        ("order by metadata.n", [0, 1, 2, 4, 5, 3]),
        ("order by metadata.n desc", [2, 1, 0, 5, 4, 3]),
    ],
)
def test_metadata_is_text_and_compared_with_a_number_a_number(text: str, found: list[int]) -> None:
    values = ["9", "10", "1e1", None, "many", "nan"]
    assert ask(text, *({"metadata": {"n": v} if v else {}} for v in values)) == found


def test_another_key_with_the_same_value_is_not_meant() -> None:
    with_the_key = {"metadata": {"n": "x", "other": "a"}}
    assert ask("metadata.n in (9, 'a')", with_the_key, {"metadata": {"n": "a"}}) == [1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("date_range = '2025'", [1, 2]),
        ("date_range = 2025", [1, 2]),
        ("date_range = '2025/2026'", [1, 2]),
        ("date_range = '2025-12-31T23:59:59.999999Z/'", [2, 3]),
        ("date_range < '2025'", [0]),
        ("date_range <= '2025'", [0, 1, 2]),
        ("date_range > '2025'", [3]),
        ("date_range >= '2025'", [1, 2, 3]),
        ("date_range != '2025'", [0, 3]),
        ("not date_range = '2025'", [0, 3, 4]),
        ("date_range in ('2024', '2026')", [0, 3]),
        ("date_range between '2025-Q1' and '2025-Q4'", [1, 2]),
        ("date_range > '2025-12-31T23:59:59.999999Z'", [3]),
        ("date_range >= '2026-01-01T01:00:00+01:00'", [3]),
        ("date_range is not set", [4]),
    ],
)
def test_periods_have_their_start_and_not_their_end(text: str, found: list[int]) -> None:
    moments = [
        dt.datetime(2024, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
        dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        None,
    ]
    assert ask(text, *({"captured_at": moment} for moment in moments)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tag = 'x'", [0, 1]),
        ("not tag = 'x'", [2, 3]),
        ("tag in ('x', 'y')", [0, 1, 2]),
        ("tags all ('x', 'y')", [0]),
        ("tags none ('x', 'y')", [3]),
        ("tag starts with 'x'", [0, 1]),
        ("not tag starts with 'x'", [2, 3]),
        ("tag starts with ''", [0, 1, 2]),
        ("tag is set", [0, 1, 2]),
        ("tag is not set", [3]),
    ],
)
def test_tags(text: str, found: list[int]) -> None:
    assert ask(text, {"tags": {"x", "y"}}, {"tags": {"x"}}, {"tags": {"y"}}, {}) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"image = '{SHA}'", [0]),
        (f"image = '{SHA.upper()}'", [0]),
        ("image = '1a2b3c4d'", [0]),
        ("image = '1a2b3c4d0'", [0, 2]),
        ("image = '1A2B3C4D0'", [0]),
        ("image = 'belt/1.jpg'", [1]),
        ("image = '1a2b3c4'", []),
        ("image in ('belt/1.jpg', '1a2b3c4d')", [0, 1]),
        ("image != 'belt/1.jpg'", [0, 2]),
    ],
)
def test_images_by_id_prefix_and_path(text: str, found: list[int]) -> None:
    on_belt = {"image_id": SHA[::-1], "path": "belt/1.jpg"}
    like_an_id = {"image_id": "f" * 64, "path": "1a2b3c4d0"}
    assert ask(text, {"image_id": SHA}, on_belt, like_an_id) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("all images", [0, 2]),
        ("width = 640", [0, 2]),
        ("width = 640 order by taken_out", [0, 2]),
        ("taken_out", [1]),
        ("taken_out in (true, false)", [0, 1, 2]),
        ("width = 640 and (taken_out or not taken_out)", [0, 1, 2]),
        ("taken_out_at is set", [1]),
    ],
)
def test_what_was_taken_out_must_be_asked_for(text: str, found: list[int]) -> None:
    when = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    assert ask(text, {}, {"taken_out": True, "taken_out_at": when}, {}) == found


def test_a_perceptual_hash_is_sixteen_digits() -> None:
    assert ask("phash = '00000000000000ff'", {"phash": 255}, {"phash": 2**64 - 1}, {}) == [0]
    assert ask("phash starts with 'f'", {"phash": 255}, {"phash": 2**64 - 1}, {}) == [1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("annotations(attribute.x = true)", [0]),
        ("annotations(attribute.x = 'true')", [1]),
        ("annotations(attribute.x = 1)", [2]),
        ("annotations(attribute.x < 2)", [2]),
        ("annotations(attribute.x is set)", [0, 1, 2]),
        ("annotations(attribute['a/b~1'] = 'y')", [3]),
        ("annotations(attribute['a/b/'] is set)", []),
    ],
)
def test_attributes_have_types(text: str, found: list[int]) -> None:
    attributes = ['{"x":true}', '{"x":"true"}', '{"x":1}', '{"a/b~1":"y","x":null}']
    row = {"label": "l", "kind": "class", "annotator": "a"}
    row |= {"ontology_version": "1", "guideline_version": "1"}
    rows = [[row | {"n": n, "attributes": a}] for n, a in enumerate(attributes)]
    assert ask(text, *({"annotations": r} for r in rows)) == found


def test_errors_of_a_model_are_unknown_where_it_was_not_evaluated() -> None:
    result = {
        "split": "test",
        "objects": 1,
        "true_positives": 0,
        "false_positives": 0,
        "false_negatives": 0,
        "correct": True,
        "score": 1.0,
    }
    lake = SmallLake(
        [image(n) for n in range(3)],
        results={"m": {0: {"n": 0} | result, 1: {"n": 1} | result | {"false_negatives": 2}}},
    )
    assert lake.ask(parse("errors('m') = 0")) == [0]
    assert lake.ask(parse("not errors('m') = 0")) == [1, 2]
    assert lake.ask(parse("errors('m', kind = 'false_negative')")) == [1]
    assert lake.ask(parse("errors('m', kind = 'false_positive')")) == []
    assert lake.ask(parse("errors('m') is set")) == [0, 1]


def test_references_are_listed_and_not_resolved() -> None:
    compiled = compile_query(
        parse(
            "dataset('d', split = 'test') and not dataset('e') and predictions('m') >= 1"
            " and errors('m') and results('m').score < 1 and similarity('x.jpg') > 0.5"
            " order by similarity('x.jpg') desc, similarity('y.jpg')"
        )
    )
    assert compiled.references == (
        Reference("dataset", "d", "dataset_1"),
        Reference("dataset", "e", "dataset_2"),
        Reference("predictions", "m", "predictions_1"),
        Reference("results", "m", "results_1"),
        Reference("similar", "x.jpg", "similar_1"),
        Reference("similar", "y.jpg", "similar_2"),
    )
    assert compiled.relations == ("images",)
    assert compile_query(parse("tag = 'x' or metadata.a is set")).relations == (
        "images",
        "metadata",
        "tags",
    )


@settings(deadline=None, max_examples=60)
@given(text=TEXT.filter(bool), other=TEXT, data=st.data())
def test_no_text_reaches_the_statement(text: str, other: str, data: st.DataObject) -> None:
    label = Rows("annotations", condition=Comparison(Field("label"), "=", text))
    attribute = Rows("annotations", condition=Comparison(Field("attribute", text), "=", other))
    where = And(
        (
            Comparison(Field("metadata", text), "=", other),
            Membership(Field("tag"), (text, other)),
            Comparison(Field("path"), "=", text),
            Comparison(label, ">=", 1),
            Comparison(attribute, "=", 0),
            Comparison(Rows("dataset", text, Comparison(Field("split"), "=", text)), ">=", 1),
            Comparison(Field("image"), "!=", other),
        )
    )
    plain = compile_query(parse(_SHAPE)).sql
    assert compile_query(QueryNode(where)).sql == plain
    row = {"label": text, "kind": "class", "attributes": "{}", "annotator": "a", "n": 0}
    row |= {"ontology_version": "1", "guideline_version": "1"}
    known = image(0, path=text, metadata={text: other}, tags={text}, annotations=[row])
    lake = SmallLake([known, image(1)], datasets={text: {0: {"n": 0, "split": text}}})
    expected = [] if other == text else [0]
    assert lake.ask(QueryNode(where)) == expected


_SHAPE = (
    "metadata.k = 'v' and tag in ('a', 'b') and path = 'p' and annotations(label = 'x')"
    " and annotations(attribute.a = 'x') = 0 and dataset('d', split = 's') and image != 'p'"
)


@pytest.mark.parametrize(
    "hostile",
    [
        "' OR '1'='1",
        "'); DROP TABLE images; --",
        "$p1",
        "?",
        "\\",
        "a\nb",
        "{size}",
        "%s",
        "\u202e",
        "🍋",
    ],
)
def test_hostile_texts_are_texts(hostile: str) -> None:
    lake = SmallLake(
        [image(0, metadata={hostile: hostile}, tags={hostile}, path=hostile), image(1)]
    )
    for where in (
        Comparison(Field("metadata", hostile), "=", hostile),
        Comparison(Field("tag"), "=", hostile),
        Comparison(Field("image"), "=", hostile),
    ):
        assert lake.ask(QueryNode(where)) == [0]
        assert hostile not in compile_query(QueryNode(where)).sql or hostile == "$p1"
