from __future__ import annotations

import pytest
from hypothesis import given, settings

from cv_pipeline.catalog.query import QueryNode
from cv_pipeline.catalog.query.fields import FIELDS, FieldSpec
from cv_pipeline.catalog.query.nodes import Comparison, Field, Not, Order, Presence, Rows, Sample
from tests.catalog.query.naive import answer
from tests.catalog.query.random_queries import queries
from tests.catalog.query.small_lakes import SmallLake, image, small_lakes


@settings(deadline=None, max_examples=300)
@given(lake=small_lakes(), query=queries())
def test_the_statement_agrees_with_plain_python(lake: SmallLake, query: QueryNode) -> None:
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
