from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cv_pipeline.catalog.datalake.selection import select_images
from cv_pipeline.catalog.query.date_range import parse_date_range
from cv_pipeline.catalog.schemas import TAKEOUTS
from cv_pipeline.catalog.snapshot import fixed_versions
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.dataset_query import Query
from cv_pipeline.errors import CatalogError
from tests.catalog.event_lake import DAY, lake, rows_of


def test_a_lake_that_holds_nothing_yet(catalog: Catalog) -> None:
    result = select_images(catalog, Query(labelled=None))
    assert result.image_ids.to_pylist() == []
    assert result.text == "all images"


def test_a_query_says_what_it_did() -> None:
    with lake(images={"a": DAY}, metadata=[("a", "scene", "yard")], labelled={"a"}) as catalog:
        query = Query(metadata={"scene": "yard"}, tags_any=("x", "y"), date_range="2025-Q4")
        result = select_images(catalog, query)
        assert result.table_versions == fixed_versions(catalog)
        assert result.table_versions["images"] == catalog.table("images").version
        assert result.text == (
            "labelled and metadata.scene = 'yard' and tag in ('x', 'y') and date_range = '2025-Q4'"
        )
        assert "yard" not in result.sql
        assert "yard" in result.parameters.values()
        json.dumps(result.parameters)


def test_what_was_taken_out_is_never_selected() -> None:
    with lake(images={"a": DAY, "b": DAY}) as catalog:
        before = catalog.table("takeouts").version
        rows = [{"image_id": "a", "reason": "asked", "actor": "me", "at": DAY}]
        catalog.table("takeouts").merge(rows_of(TAKEOUTS, rows), on=["image_id"])

        def selected(where: str, **versions: int) -> list[str]:
            query = Query(labelled=None, where=where)
            return select_images(catalog, query, table_versions=versions).image_ids.to_pylist()

        assert selected("width > 0") == ["b"]
        assert selected("taken_out") == []
        assert selected("taken_out or width > 0") == ["b"]
        assert selected("width > 0", takeouts=before) == ["a", "b"]


def test_the_images_come_by_id_whatever_the_query_asks_for() -> None:
    days = {name: DAY + dt.timedelta(days=n) for n, name in enumerate("abc")}
    with lake(images=days) as catalog:
        query = Query(labelled=None, order_by="date_range desc", limit=2)
        assert select_images(catalog, query).image_ids.to_pylist() == ["b", "c"]


def test_text_from_outside_is_never_sql() -> None:
    nasty = "yard' OR '1'='1"
    with lake(images={"a": DAY, "b": DAY}, metadata=[("a", nasty, nasty)]) as catalog:
        query = Query(labelled=None, metadata={nasty: nasty})
        assert select_images(catalog, query).image_ids.to_pylist() == ["a"]
        query = Query(labelled=None, tags_any=(nasty, "'); DROP TABLE images; --"))
        assert select_images(catalog, query).image_ids.to_pylist() == []


def test_a_wrong_date_range_names_the_forms() -> None:
    with pytest.raises(CatalogError, match=r"'2025-13'.*Accepted forms"):
        parse_date_range("2025-13")
    with pytest.raises(ValidationError, match=r"'2025-13' cannot be used"):
        Query(date_range="2025-13")


IDS = st.sampled_from("abcdef")
WORDS = st.sampled_from(["x", "y", ""])
TIMES = st.none() | st.datetimes(dt.datetime(2024, 12, 1), dt.datetime(2026, 1, 31)).map(
    lambda t: t.replace(tzinfo=dt.UTC)
)


@settings(deadline=None, max_examples=15)
@given(
    images=st.dictionaries(IDS, TIMES, min_size=1),
    metadata=st.lists(st.tuples(IDS, st.sampled_from(["k", "l"]), st.none() | WORDS), max_size=8),
    tags=st.lists(st.tuples(IDS, WORDS, st.booleans()), max_size=8),
    labelled=st.sets(IDS),
    query=st.builds(
        Query,
        labelled=st.sampled_from([True, False, None]),
        metadata=st.dictionaries(st.sampled_from(["k", "l", "m"]), WORDS, max_size=2),
        tags_any=st.lists(WORDS, max_size=2).map(tuple),
        date_range=st.sampled_from([None, "2025", "2025-Q1", "2025-06", "2025-03-01/", "/2025-03"]),
    ),
)
def test_select_images_agrees_with_plain_python(
    images: dict[str, dt.datetime | None],
    metadata: list[tuple[str, str, str | None]],
    tags: list[tuple[str, str, bool]],
    labelled: set[str],
    query: Query,
) -> None:
    values = {(i, k): v for i, k, v in metadata}
    present = {(i, g): p for i, g, p in tags}

    def wanted(image: str) -> bool:
        at = images[image]
        if query.date_range is not None:
            dates = parse_date_range(query.date_range)
            if at is None or (dates.start and at < dates.start) or (dates.end and at >= dates.end):
                return False
        return (
            query.labelled in (None, image in labelled)
            and all(values.get((image, k)) == v for k, v in query.metadata.items())
            and (not query.tags_any or any(present.get((image, g)) for g in query.tags_any))
        )

    with lake(images=images, metadata=metadata, tags=tags, labelled=labelled) as catalog:
        found = select_images(catalog, query).image_ids.to_pylist()
    assert found == sorted(i for i in images if wanted(i))
