from __future__ import annotations

import datetime as dt

import pyarrow as pa

from cv_pipeline.catalog.ingest.declarations import IMAGE_TAG_LISTS, IMAGE_VALUES
from cv_pipeline.catalog.ingest.events import record_tags, record_values
from cv_pipeline.catalog.lake import current_metadata, current_tags
from cv_pipeline.catalog.schemas import IMAGE_METADATA, IMAGE_TAGS
from cv_pipeline.catalog.tables import Catalog


def values(*rows: tuple[str, str, str | None]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(IMAGE_VALUES.names, row, strict=True)) for row in rows], schema=IMAGE_VALUES
    )


def tags(*rows: tuple[str, str | None]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(IMAGE_TAG_LISTS.names, row, strict=True)) for row in rows], schema=IMAGE_TAG_LISTS
    )


def ids(*image_ids: str) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(image_ids, pa.string())])


def scenes(catalog: Catalog) -> dict[str, str]:
    rows = current_metadata(catalog).to_pylist()
    return {row["image_id"]: row["value"] for row in rows if row["key"] == "scene"}


class TestValues:
    def test_only_differences_are_written(self, catalog: Catalog) -> None:
        first = values(("a", "scene", "yard"), ("b", "scene", "belt"), ("c", "scene", None))
        assert record_values(catalog, first) == 2
        assert record_values(catalog, first) == 0
        second = values(("a", "scene", "belt"), ("b", "scene", None))
        assert record_values(catalog, second) == 2
        assert record_values(catalog, second) == 0
        assert scenes(catalog) == {"a": "belt"}
        assert catalog.table("image_metadata").read().num_rows == 4

    def test_what_others_set_stays_until_the_declaration_changes(self, catalog: Catalog) -> None:
        declared = values(("a", "scene", "yard"))
        record_values(catalog, declared)
        by_hand = {"image_id": "a", "key": "scene", "value": "hall", "actor": "eve"}
        at = dt.datetime.now(dt.UTC)
        catalog.table("image_metadata").append(
            pa.Table.from_pylist([{**by_hand, "at": at}], schema=IMAGE_METADATA)
        )
        assert record_values(catalog, declared) == 0
        assert scenes(catalog) == {"a": "hall"}
        changed = values(("a", "scene", "belt"))
        assert record_values(catalog, changed) == 1
        assert scenes(catalog) == {"a": "belt"}

    def test_what_is_not_declared_any_more(self, catalog: Catalog) -> None:
        both = values(("a", "scene", "yard"), ("a", "line", "1"), ("b", "scene", "belt"))
        record_values(catalog, both)
        assert record_values(catalog, values()) == 0
        left = values(("a", "line", "1"))
        assert record_values(catalog, left) == 0  # which does not say that it is all
        assert record_values(catalog, left, complete_for=ids("a")) == 1
        assert record_values(catalog, left, complete_for=ids("a")) == 0
        assert scenes(catalog) == {"b": "belt"}
        assert record_values(catalog, values(), complete_for=ids("a", "b", "c")) == 2
        assert current_metadata(catalog).num_rows == 0
        assert record_values(catalog, both, complete_for=ids("a", "b")) == 3

    def test_keys_of_others_stay(self, catalog: Catalog) -> None:
        by_hand = {"image_id": "a", "key": "scene", "value": "hall", "actor": "eve"}
        catalog.table("image_metadata").append(
            pa.Table.from_pylist([{**by_hand, "at": dt.datetime.now(dt.UTC)}], IMAGE_METADATA)
        )
        assert record_values(catalog, values(), complete_for=ids("a")) == 0
        assert scenes(catalog) == {"a": "hall"}


class TestTags:
    def test_only_differences_are_written(self, catalog: Catalog) -> None:
        first = tags(("a", "x"), ("a", "y"), ("b", "x"), ("c", None))
        assert record_tags(catalog, first) == 3
        assert record_tags(catalog, first) == 0
        second = tags(("a", "y"), ("a", "z"), ("b", None))
        assert record_tags(catalog, second) == 3  # −x, +z; −x
        assert record_tags(catalog, second) == 0
        assert current_tags(catalog).to_pylist() == [
            {"image_id": "a", "tag": "y"},
            {"image_id": "a", "tag": "z"},
        ]
        assert record_tags(catalog, first) == 3

    def test_tags_of_others_stay(self, catalog: Catalog) -> None:
        record_tags(catalog, tags(("a", "x")))
        by_hand = {"image_id": "a", "tag": "hard", "present": True, "actor": "eve"}
        at = dt.datetime.now(dt.UTC)
        catalog.table("image_tags").append(
            pa.Table.from_pylist([{**by_hand, "at": at}], schema=IMAGE_TAGS)
        )
        assert record_tags(catalog, tags(("a", None))) == 1
        assert current_tags(catalog)["tag"].to_pylist() == ["hard"]

    def test_what_is_not_declared_any_more(self, catalog: Catalog) -> None:
        record_tags(catalog, tags(("a", "x"), ("b", "x")))
        assert record_tags(catalog, tags()) == 0
        assert record_tags(catalog, tags(), complete_for=ids("a")) == 1
        assert record_tags(catalog, tags(), complete_for=ids("a")) == 0
        assert current_tags(catalog).to_pylist() == [{"image_id": "b", "tag": "x"}]
