from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.query import QueryNode
from cv_pipeline.catalog.query.fields import FIELDS, FieldSpec, Kind, Scope
from cv_pipeline.catalog.query.nodes import (
    Comparison,
    Field,
    Not,
    Operand,
    Order,
    Presence,
    Rows,
    Sample,
)
from tests.catalog.query.naive import answer
from tests.catalog.query.random_queries import KINDS, comparisons, queries, singles
from tests.catalog.query.small_lakes import KEYS, SmallLake, image, small_lakes


@settings(deadline=None, max_examples=100)
@given(lake=small_lakes(), query=queries())
def test_the_statement_agrees_with_plain_python(lake: SmallLake, query: QueryNode) -> None:
    assert lake.ask(query) == answer(query, lake)


@pytest.mark.parametrize(("scope", "kind", "many"), KINDS)
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_every_comparison_agrees_with_plain_python(
    scope: Scope, kind: Kind, many: bool, data: st.DataObject
) -> None:
    lake = data.draw(small_lakes())
    single = comparisons(scope, kind, many=many)
    for condition in data.draw(st.lists(single | single.map(Not), min_size=6, max_size=6)):
        query = QueryNode(condition)
        assert lake.ask(query) == answer(query, lake)


@settings(deadline=None, max_examples=20)
@given(
    lake=small_lakes(),
    operands=st.lists(singles(), min_size=2, max_size=2),
    key=st.sampled_from(KEYS),
    descending=st.booleans(),
)
def test_every_order_agrees_with_plain_python(
    lake: SmallLake, operands: list[Operand], key: str, descending: bool
) -> None:
    for operand in [*operands, Field("metadata", key)]:
        query = QueryNode(order_by=(Order(operand, descending),))
        assert lake.ask(query) == answer(query, lake)


@settings(deadline=None, max_examples=20)
@given(
    lake=small_lakes(),
    operands=st.lists(singles(), min_size=2, max_size=2),
    size=st.integers(1, 5),
    seed=st.integers(0, 9),
)
def test_every_sample_agrees_with_plain_python(
    lake: SmallLake, operands: list[Operand], size: int, seed: int
) -> None:
    for operand in [*operands, Field("bands"), Field("batch")]:
        query = QueryNode(sample=Sample(size, operand, seed))
        assert lake.ask(query) == answer(query, lake)


@pytest.mark.parametrize("spec", FIELDS["images"].values(), ids=lambda spec: spec.name)
def test_every_field_of_an_image_can_be_asked_for(spec: FieldSpec) -> None:
    lake = SmallLake([image(0), image(1)])
    field = Field(spec.name, None if spec.key is None else "x")
    assert lake.ask(QueryNode(Presence(field))) == answer(QueryNode(Presence(field)), lake)
    if not spec.many:
        for query in (QueryNode(order_by=(Order(field),)), QueryNode(sample=Sample(2, by=field))):
            assert lake.ask(query) == [0, 1]


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (of, name)
        for of in ("annotations", "predictions", "dataset", "results")
        for name in FIELDS[of]  # type: ignore[index]
    ],
)
def test_every_field_within_brackets_can_be_asked_for(of: str, name: str) -> None:
    field = Field(name, "x" if name == "attribute" else None)
    ref = None if of == "annotations" else "x"
    rows = Rows(of, ref, Not(Presence(field)))  # type: ignore[arg-type]
    lake = SmallLake([image(0)])
    assert lake.ask(QueryNode(Comparison(rows, "=", 0))) == [0]
