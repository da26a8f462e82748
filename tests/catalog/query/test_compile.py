from __future__ import annotations

from hypothesis import given, settings

from cv_pipeline.catalog.query import QueryNode
from tests.catalog.query.naive import answer
from tests.catalog.query.random_queries import queries
from tests.catalog.query.small_lakes import SmallLake, small_lakes


@settings(deadline=None, max_examples=400)
@given(lake=small_lakes(), query=queries())
def test_the_statement_agrees_with_plain_python(lake: SmallLake, query: QueryNode) -> None:
    assert lake.ask(query) == answer(query, lake)
