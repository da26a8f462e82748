from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cv_pipeline.catalog import sql
from cv_pipeline.catalog.date_range import parse_date_range
from cv_pipeline.catalog.lake import current_metadata, current_tags, select_images
from cv_pipeline.catalog.schemas import ANNOTATIONS, IMAGE_METADATA, IMAGE_TAGS, IMAGES
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import CatalogError
from cv_pipeline.project import Query
from cv_pipeline.storage import open_store

DAY = dt.datetime(2025, 11, 1, tzinfo=dt.UTC)
FILLERS: dict[Any, Any] = {
    pa.string(): "",
    pa.int32(): 1,
    pa.int64(): 1,
    pa.timestamp("us", "UTC"): DAY,
}


def rows_of(schema: pa.Schema, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows of a schema, the columns that a test does not care for filled with something."""
    blank = {f.name: None if f.nullable else FILLERS.get(f.type, "") for f in schema}
    return pa.Table.from_pylist([blank | row for row in rows], schema=schema)


@contextmanager
def lake(
    *,
    images: dict[str, dt.datetime | None],
    metadata: list[tuple[str, str, str | None]] = (),  # type: ignore[assignment]
    tags: list[tuple[str, str, bool]] = (),  # type: ignore[assignment]
    labelled: set[str] = frozenset(),  # type: ignore[assignment]
) -> Iterator[Catalog]:
    """A small lake whose events happened in the order given."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(open_store(folder), "fruit")
        captured = [{"image_id": i, "captured_at": at} for i, at in images.items()]
        catalog.table("images").merge(rows_of(IMAGES, captured), on=["image_id"])
        at = [DAY + dt.timedelta(seconds=n) for n in range(max(len(metadata), len(tags)))]
        catalog.table("image_metadata").append(
            rows_of(
                IMAGE_METADATA,
                [
                    {"image_id": i, "key": k, "value": v, "at": t}
                    for (i, k, v), t in zip(metadata, at, strict=False)
                ],
            )
        )
        catalog.table("image_tags").append(
            rows_of(
                IMAGE_TAGS,
                [
                    {"image_id": i, "tag": g, "present": p, "at": t}
                    for (i, g, p), t in zip(tags, at, strict=False)
                ],
            )
        )
        rows = [
            {"annotation_id": f"n{n}", "image_id": i} for n, i in enumerate(sorted(labelled) * 2)
        ]
        catalog.table("annotations").merge(rows_of(ANNOTATIONS, rows), on=["annotation_id"])
        yield catalog


def test_the_latest_event_counts() -> None:
    events = [
        ("a", "scene", "yard"),
        ("b", "scene", "belt"),
        ("a", "scene", "belt"),
        ("b", "line", "1"),
    ]
    with lake(images={}, metadata=[*events, ("b", "scene", None)]) as catalog:
        assert current_metadata(catalog).to_pylist() == [
            {"image_id": "a", "key": "scene", "value": "belt"},
            {"image_id": "b", "key": "line", "value": "1"},
        ]
    with lake(images={}, tags=[("a", "x", True), ("a", "y", True), ("a", "x", False)]) as catalog:
        assert current_tags(catalog).to_pylist() == [{"image_id": "a", "tag": "y"}]


def test_a_lake_that_holds_nothing_yet(catalog: Catalog) -> None:
    assert current_metadata(catalog).num_rows == current_tags(catalog).num_rows == 0
    result = select_images(catalog, Query(labelled=None))
    assert result.image_ids.to_pylist() == []
    assert result.text == "all images"


def test_the_current_state_at_an_older_version() -> None:
    with lake(images={}, metadata=[("a", "scene", "yard")]) as catalog:
        before = catalog.table("image_metadata").version
        later = [
            {"image_id": "a", "key": "scene", "value": "belt", "at": DAY + dt.timedelta(days=1)}
        ]
        catalog.table("image_metadata").append(rows_of(IMAGE_METADATA, later))
        assert current_metadata(catalog)["value"].to_pylist() == ["belt"]
        assert current_metadata(catalog, version=before)["value"].to_pylist() == ["yard"]


def test_a_query_says_what_it_did() -> None:
    with lake(images={"a": DAY}, metadata=[("a", "scene", "yard")], labelled={"a"}) as catalog:
        query = Query(metadata={"scene": "yard"}, tags_any=("x", "y"), date_range="2025-Q4")
        result = select_images(catalog, query)
        versions = {"annotations", "image_metadata", "image_tags", "images"}
        assert result.table_versions.keys() == versions
        assert result.table_versions["images"] == catalog.table("images").version
        assert result.text == (
            "labelled and scene = 'yard' and tagged 'x' or 'y'"
            " and captured from 2025-10-01T00:00:00+00:00"
            " and captured before 2026-01-01T00:00:00+00:00"
        )
        assert "$value_0" in result.sql
        assert "yard" not in result.sql
        assert result.parameters["value_0"] == "yard"


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


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "SET enable_external_access = true",
        "ATTACH '/tmp/other.db'",
        "SELECT * FROM secret_table",
    ],
)
def test_sql_reaches_nothing_but_its_relations(statement: str) -> None:
    import duckdb

    secret_table = pa.table({"x": [1]})
    assert secret_table.num_rows == 1
    with pytest.raises(duckdb.Error, match=r"(?i)disabled|locked|does not exist|cannot change"):
        run_sql(statement, relations={})


def test_statements_see_nothing_of_each_other() -> None:
    import duckdb

    table = pa.table({"x": [1]})
    assert run_sql("SELECT x FROM t", relations={"t": table}).num_rows == 1
    with pytest.raises(duckdb.Error, match="does not exist"):
        run_sql("SELECT x FROM t", relations={})


def test_times_are_utc_whatever_the_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    sql._database.cache_clear()
    text = "SELECT CAST(CAST('2025-11-03T08:00' AS TIMESTAMPTZ) AS VARCHAR) AS t"
    assert run_sql(text, relations={})["t"].to_pylist() == ["2025-11-03 08:00:00+00"]


IDS = st.sampled_from("abcdef")
WORDS = st.sampled_from(["x", "y", ""])
TIMES = st.none() | st.datetimes(dt.datetime(2024, 12, 1), dt.datetime(2026, 1, 31)).map(
    lambda t: t.replace(tzinfo=dt.UTC)
)


@settings(deadline=None, max_examples=40)
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
