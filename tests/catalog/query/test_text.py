from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.query import QueryNode, compile_query, parse, to_text
from cv_pipeline.catalog.query.nodes import And, Comparison, Field, Membership, Not, Or, Rows
from tests.catalog.query.random_queries import queries

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(deadline=None, max_examples=300)
@given(query=queries())
def test_reading_the_text_gives_the_same_query(query: QueryNode) -> None:
    text = to_text(query)
    assert parse(text) == query
    assert to_text(parse(text)) == text


@settings(deadline=None)
@given(key=TEXT, value=TEXT | st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_any_number_survive(key: str, value: str | float) -> None:
    query = QueryNode(Membership(Field("metadata", key), (value, 0)))
    assert parse(to_text(query)) == query


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("", "all images"),
        ("  ALL  images ", "all images"),
        ("limit 5", "all images limit 5"),
        ("width>=640", "width >= 640"),
        ("width == 640.0 and height <> +.5", "width = 640 and height != 0.5"),
        ('tag = "it\'s"', "tag = 'it''s'"),
        ('tag = "say ""no"""', "tag = 'say \"no\"'"),
        # brackets only where they are needed
        ("((width > 1))", "width > 1"),
        ("width > 1 and (height > 1 and bands > 1)", "width > 1 and height > 1 and bands > 1"),
        ("width > 1 or (height > 1 and bands > 1)", "width > 1 or height > 1 and bands > 1"),
        ("(width > 1 or height > 1) and bands > 1", "(width > 1 or height > 1) and bands > 1"),
        ("not (width > 1 and height > 1)", "not (width > 1 and height > 1)"),
        ("NOT NOT labelled", "not not labelled"),
        # other names of the same thing
        ("tags = 'x' and labels = 'y'", "tag = 'x' and label = 'y'"),
        ("captured_at = 2025", "date_range = '2025'"),
        ("annotations(created_at = '2025')", "annotations(created = '2025')"),
        ("labelled", "labelled"),
        ("labelled = true", "labelled"),
        ("labelled = FALSE", "labelled = false"),
        # other ways to say the same
        ("not tag in ('x')", "tag not in ('x')"),
        ("tags any ('x', 'y')", "tag in ('x', 'y')"),
        ("tags none ('x', 'y')", "tag not in ('x', 'y')"),
        ("tags all ('x', 'y')", "tag = 'x' and tag = 'y'"),
        ("tags all ('x')", "tag = 'x'"),
        ("not width between 1 and 2", "width not between 1 and 2"),
        ("not width is set", "width is not set"),
        ("annotations(label = 'x') >= 1", "annotations(label = 'x')"),
        ("annotations(label = 'x', box_width < 2)", "annotations(label = 'x' and box_width < 2)"),
        ("errors('m', kind = 'any') >= 1", "errors('m')"),
        ("dataset = 'd'", "dataset('d')"),
        ("dataset != 'd'", "not dataset('d')"),
        ("dataset in ('d', 'e')", "dataset('d') or dataset('e')"),
        ("dataset not in ('d', 'e')", "not (dataset('d') or dataset('e'))"),
        ("similarity['a.jpg'] > 1", "similarity('a.jpg') > 1"),
        ("metadata['scene'] = 'x'", "metadata.scene = 'x'"),
        ("metadata['any key'] = 'x'", "metadata['any key'] = 'x'"),
        ("metadata.order = 'x'", "metadata.order = 'x'"),
        ("metadata['Größe'] = 'x'", "metadata['Größe'] = 'x'"),
        ("path STARTS WITH 'belt/'", "path starts with 'belt/'"),
        # clauses
        ("sample 5", "all images sample 5 seed 0"),
        ("sample 5 by batch seed 7 limit 2", "all images sample 5 by batch seed 7 limit 2"),
        ("order by width ASC, height Desc", "all images order by width, height desc"),
    ],
)
def test_canonical_text(written: str, canonical: str) -> None:
    assert to_text(parse(written)) == canonical
    assert parse(canonical) == parse(written)
    assert compile_query(parse(written)).text == canonical


def test_directly_nested_connectives_are_one() -> None:
    a, b, c = (Comparison(Field("width"), "=", n) for n in range(3))
    assert And((And((a, b)), c)) == And((a, b, c))
    assert Or((a, Or((b, c)))) == Or((a, b, c))
    assert And((Or((a, b)), c)) != And((a, b, c))
    assert Not(Not(a)) != a


def test_only_what_counts_one_at_least_is_shortened() -> None:
    rows = Rows("annotations", condition=Comparison(Field("label"), "=", "x"))
    assert to_text(QueryNode(Comparison(rows, ">", 0))) == "annotations(label = 'x') > 0"
    assert to_text(QueryNode(Comparison(rows, ">=", 2))) == "annotations(label = 'x') >= 2"
