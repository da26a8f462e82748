"""Table schemas: Great Expectations names the rows that break a column's promise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.datasets.checks import CheckContext
from cv_pipeline.datasets.checks.expectation import present, unique
from cv_pipeline.datasets.checks.table_schemas import (
    check_annotations_schema,
    check_images_schema,
)
from cv_pipeline.datasets.checks.validation import UNMET, check_expectations
from tests.datasets.checks.contexts import make_context, with_rows
from tests.datasets.world import World, fruit_world, make_project

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> CheckContext:
    return make_context(fruit_world(), tmp_path_factory.mktemp("sound"))


def test_sound_tables_meet_every_expectation(sound: CheckContext) -> None:
    images, annotations = check_images_schema(sound, 0), check_annotations_schema(sound, 0)
    assert images.passed
    assert images.summary == "60 rows meet all 26 expectations."
    assert annotations.passed
    assert annotations.summary == "66 rows meet all 19 expectations."
    assert annotations.rows.schema == UNMET


def test_tables_of_a_classification(tmp_path: Path) -> None:
    world = World()
    for n in range(12):
        world.image(f"image {n}", ["apple"], kind="class")
    context = make_context(world, tmp_path, make_project(task="classification"))
    assert check_annotations_schema(context, 0).passed


@pytest.mark.parametrize(
    ("table", "change", "expected", "found"),
    [
        ("manifest", {"image_id": "not a hash"}, "image_id is a SHA-256 in hex", "not a hash"),
        ("manifest", {"split": "dev"}, "split is one of train, val, test", "split dev"),
        ("manifest", {"width": 0}, "width is 1 or more", "width 0"),
        ("manifest", {"dtype": "complex64"}, "dtype is one of", "dtype complex64"),
        ("measures", {"brightness": 1.5}, "brightness lies between 0 and 1", "brightness 1.5"),
        ("measures", {"image_id": "gone"}, "sharpness is present", "sharpness"),
        ("annotations", {"label": "pear"}, "label is one of apple, lemon, kiwi", "label pear"),
        ("annotations", {"annotator": ""}, "annotator is a pseudonym", "annotator"),
        ("annotations", {"attributes": "{"}, "attributes is JSON", "attributes {"),
        ("annotations", {"kind": "class"}, "kind is one of bbox", "kind class"),
        ("annotations", {"y_min": None}, "y_min is present", "y_min"),
        ("annotations", {"x_max": 1.0}, "x_max is above x_min", "x_max 1.0"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value),
)
def test_a_row_that_breaks_a_promise_is_named(
    table: str, change: dict[str, Any], expected: str, found: str, sound: CheckContext
) -> None:
    context = with_rows(sound, table, lambda rows: rows[2].update(change))
    check = check_annotations_schema if table == "annotations" else check_images_schema
    result = check(context, 0)
    assert not result.passed
    rows = [r for r in result.rows.to_pylist() if r["expected"].startswith(expected)]
    assert len(rows) == 1
    assert found in rows[0]["found"]
    key = "annotation_id" if table == "annotations" else "image_id"
    named = getattr(context, "annotations" if table == "annotations" else "manifest")
    assert rows[0]["row"] in named[key].to_pylist()
    assert f"{rows[0]['expected']} (1 row)" in result.summary


@pytest.mark.parametrize("check", [check_images_schema, check_annotations_schema])
def test_a_table_without_rows_fails(
    check: Callable[[CheckContext, float], Any], sound: CheckContext
) -> None:
    empty = with_rows(with_rows(sound, "manifest", Rows.clear), "annotations", Rows.clear)
    result = check(empty, 0)
    assert not result.passed
    assert result.summary == "There are no rows to check."


def test_a_column_that_is_not_there_is_an_error_not_bad_data() -> None:
    frame = pa.table({"id": ["a", "b"]})
    result = check_expectations(frame, [unique("id"), present("size")], key="id", threshold=0)
    assert not result.passed
    assert "size is present (" in result.summary
    assert 'column "size"' in result.summary
    assert result.metrics["unmet_rows"] == 0
    assert result.rows["row"].to_pylist() == [None]


def test_no_warning_no_progress_bar_no_file(
    sound: CheckContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    check_images_schema(sound, 0)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""
    assert list(tmp_path.iterdir()) == []
