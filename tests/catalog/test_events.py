from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from cv_pipeline.catalog.declarations import IMAGE_TAG_LISTS, IMAGE_VALUES
from cv_pipeline.catalog.events import record_tags, record_values
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


def scenes(catalog: Catalog) -> dict[str, str]:
    rows = current_metadata(catalog).to_pylist()
    return {row["image_id"]: row["value"] for row in rows if row["key"] == "scene"}


@pytest.mark.parametrize("only_these", [True, False])
class TestValues:
    def test_only_differences_are_written(self, catalog: Catalog, only_these: bool) -> None:
        first = values(("a", "scene", "yard"), ("b", "scene", "belt"), ("c", "scene", None))
        assert record_values(catalog, first, only_these=only_these) == 2
        assert record_values(catalog, first, only_these=only_these) == 0
        second = values(("a", "scene", "belt"), ("b", "scene", None))
        assert record_values(catalog, second, only_these=only_these) == 2
        assert record_values(catalog, second, only_these=only_these) == 0
        assert scenes(catalog) == {"a": "belt"}
        assert catalog.table("image_metadata").read().num_rows == 4

    def test_what_others_set_stays_until_the_declaration_changes(
        self, catalog: Catalog, only_these: bool
    ) -> None:
        declared = values(("a", "scene", "yard"))
        record_values(catalog, declared, only_these=only_these)
        by_hand = {"image_id": "a", "key": "scene", "value": "hall", "actor": "eve"}
        at = dt.datetime.now(dt.UTC)
        catalog.table("image_metadata").append(
            pa.Table.from_pylist([{**by_hand, "at": at}], schema=IMAGE_METADATA)
        )
        assert record_values(catalog, declared, only_these=only_these) == 0
        assert scenes(catalog) == {"a": "hall"}
        changed = values(("a", "scene", "belt"))
        assert record_values(catalog, changed, only_these=only_these) == 1
        assert scenes(catalog) == {"a": "belt"}

    def test_images_that_are_not_declared_any_more_stay(
        self, catalog: Catalog, only_these: bool
    ) -> None:
        record_values(catalog, values(("a", "scene", "yard")), only_these=only_these)
        record_values(catalog, values(("b", "scene", "belt")), only_these=only_these)
        record_values(catalog, values(), only_these=only_these)
        assert scenes(catalog) == {"a": "yard", "b": "belt"}


@pytest.mark.parametrize("only_these", [True, False])
class TestTags:
    def test_only_differences_are_written(self, catalog: Catalog, only_these: bool) -> None:
        first = tags(("a", "x"), ("a", "y"), ("b", "x"), ("c", None))
        assert record_tags(catalog, first, only_these=only_these) == 3
        assert record_tags(catalog, first, only_these=only_these) == 0
        second = tags(("a", "y"), ("a", "z"), ("b", None))
        assert record_tags(catalog, second, only_these=only_these) == 3  # −x, +z; −x
        assert record_tags(catalog, second, only_these=only_these) == 0
        assert current_tags(catalog).to_pylist() == [
            {"image_id": "a", "tag": "y"},
            {"image_id": "a", "tag": "z"},
        ]
        assert record_tags(catalog, first, only_these=only_these) == 3

    def test_tags_of_others_stay(self, catalog: Catalog, only_these: bool) -> None:
        record_tags(catalog, tags(("a", "x")), only_these=only_these)
        by_hand = {"image_id": "a", "tag": "hard", "present": True, "actor": "eve"}
        at = dt.datetime.now(dt.UTC)
        catalog.table("image_tags").append(
            pa.Table.from_pylist([{**by_hand, "at": at}], schema=IMAGE_TAGS)
        )
        assert record_tags(catalog, tags(("a", None)), only_these=only_these) == 1
        assert current_tags(catalog)["tag"].to_pylist() == ["hard"]
