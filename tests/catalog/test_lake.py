from __future__ import annotations

import datetime as dt

from cv_pipeline.catalog.lake import current_metadata, current_tags
from cv_pipeline.catalog.schemas import IMAGE_METADATA
from cv_pipeline.catalog.tables import Catalog
from tests.catalog.event_lake import DAY, lake, rows_of


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


def test_the_current_state_at_an_older_version() -> None:
    with lake(images={}, metadata=[("a", "scene", "yard")]) as catalog:
        before = catalog.table("image_metadata").version
        later = [
            {"image_id": "a", "key": "scene", "value": "belt", "at": DAY + dt.timedelta(days=1)}
        ]
        catalog.table("image_metadata").append(rows_of(IMAGE_METADATA, later))
        assert current_metadata(catalog)["value"].to_pylist() == ["belt"]
        assert current_metadata(catalog, version=before)["value"].to_pylist() == ["yard"]
