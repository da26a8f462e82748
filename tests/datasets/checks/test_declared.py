"""Expectations of a project: validated where it is loaded, and held against every candidate."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cv_pipeline.datasets.checks.expectation import OF_VALUES
from cv_pipeline.datasets.checks.table_schemas import (
    check_annotations_schema,
    check_images_schema,
    check_metadata_schema,
    check_near_duplicates_schema,
)
from cv_pipeline.datasets.checks.validation import load_great_expectations
from cv_pipeline.errors import ProjectError
from cv_pipeline.expectation_names import EXPECTATIONS, columns_of
from cv_pipeline.project import Project, Split, load_project
from cv_pipeline.vocabulary import CHECK_NAMES
from cv_pipeline.yaml_file import parse_yaml
from tests.datasets.checks.contexts import make_context, with_rows
from tests.datasets.world import fruit_world, make_project, sha

BETWEEN = "expect_column_values_to_be_between"


def expecting(table: str, *expected: dict[str, Any]) -> Project:
    return make_project(expectations={table: list(expected)})


def test_every_name_is_the_library_s_with_its_arguments() -> None:
    expectations = load_great_expectations().expectations
    for name, kinds in EXPECTATIONS.items():
        kind = getattr(expectations, "".join(part.title() for part in name.split("_")))
        fields = kind.__fields__
        assert set(kinds) <= set(fields), name
        required = {a for a, f in fields.items() if f.required} - {"regex"}
        assert required <= {a for a, k in kinds.items() if k.endswith("!")}, name
    assert all(hasattr(expectations, kind) for kind in OF_VALUES)


def test_images_are_held_against_what_is_declared(tmp_path: Path) -> None:
    project = expecting(
        "images",
        {"name": BETWEEN, "column": "width", "arguments": {"min_value": 640}},
        {"name": BETWEEN, "column": "height", "arguments": {"max_value": 80}},
        {
            "name": "expect_column_values_to_be_in_set",
            "column": "metadata.camera",
            "arguments": {"value_set": ["belt", "yard"]},
        },
        {"name": "expect_table_row_count_to_be_between", "arguments": {"min_value": 1000}},
    )
    world = fruit_world()
    world.image("roof", ["apple"], metadata={"camera": "roof", "line": "1"})
    found = check_images_schema(make_context(world, tmp_path, project), 0)
    assert not found.passed
    assert found.metrics["unmet"] == 3
    assert found.metrics["unmet_rows"] == 62
    assert "width: values to be between, min_value 640 (61 rows)" in found.summary
    assert "table: table row count to be between, min_value 1000 (found 61)" in found.summary
    rows = found.rows.to_pylist()
    assert len(rows) == 61 + 1 + 1
    assert {"expected", "row", "found"} == set(rows[0])
    (roof,) = [r for r in rows if r["found"] == "metadata.camera roof"]
    assert roof["row"] == sha("roof")


def test_labels_metadata_and_pairs_too(tmp_path: Path) -> None:
    distinct = {
        "name": "expect_column_distinct_values_to_be_in_set",
        "arguments": {"value_set": ["?"]},
    }
    project = make_project(
        expectations={
            "annotations": [distinct | {"column": "label"}],
            "metadata": [distinct | {"column": "key"}],
            "near_duplicates": [distinct | {"column": "kind"}],
        }
    )
    world = fruit_world()
    world.image("copy", ["apple"], shows="image 1", metadata={"camera": "belt"})
    context = make_context(world, tmp_path, project)
    for check in (check_annotations_schema, check_metadata_schema, check_near_duplicates_schema):
        found = check(context, 0)
        assert not found.passed
        assert "distinct values to be in set" in found.summary
        assert check(context, 1).passed


def test_tables_that_may_be_empty(tmp_path: Path) -> None:
    context = make_context(fruit_world(), tmp_path)
    assert check_near_duplicates_schema(context, 0).summary == "There are none."
    bare = with_rows(context, "metadata", list[dict[str, Any]].clear)
    assert check_metadata_schema(bare, 0).passed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"key": ""}, "key is a name (1 row)"),
        ({"value": None}, "value is present (1 row)"),
        ({"key": "line"}, "image_id and key are unique together (2 rows)"),
    ],
)
def test_metadata_that_breaks_a_promise(change: dict[str, str], says: str, tmp_path: Path) -> None:
    context = make_context(fruit_world(), tmp_path)
    broken = with_rows(context, "metadata", lambda rows: rows[0].update(change))
    found = check_metadata_schema(broken, 0)
    assert not found.passed
    assert says in found.summary


@pytest.mark.parametrize(
    "change",
    [{"image_a": "f" * 64}, {"kind": "rotated"}, {"distance": 7}, {"mismatch": 1.5}],
)
def test_pairs_that_break_a_promise(change: dict[str, Any], tmp_path: Path) -> None:
    world = fruit_world()
    world.image("copy", ["apple"], shows="image 1")
    context = make_context(world, tmp_path)
    assert check_near_duplicates_schema(context, 0).passed
    broken = with_rows(context, "near_duplicates", lambda rows: rows[0].update(change))
    assert not check_near_duplicates_schema(broken, 0).passed


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"name": "expect_column_values_to_be_betwen"}, "the name of an expectation"),
        ({"name": BETWEEN, "arguments": {"min_value": 1}}, f"{BETWEEN} needs column"),
        ({"name": BETWEEN, "column": "width"}, "needs min_value or max_value"),
        ({"name": BETWEEN, "column": "width", "arguments": {"min_value": True}}, "must be a num"),
        (
            {"name": BETWEEN, "column": "width", "arguments": {"min": 1}},
            "has no argument 'min'. Did you mean 'min_value'",
        ),
        (
            {"name": BETWEEN, "column": "width", "arguments": {"min_value": 1, "mostly": 2}},
            "mostly of .* must be a share between 0 and 1, not 2",
        ),
        (
            {"name": BETWEEN, "column": "widht", "arguments": {"min_value": 1}},
            "images.0 names 'widht', which is no column of images. Did you mean 'width'",
        ),
        (
            {
                "name": "expect_compound_columns_to_be_unique",
                "arguments": {"column_list": ["path"]},
            },
            "column_list of .* must be a list of columns",
        ),
        (
            {
                "name": "expect_column_pair_values_to_be_equal",
                "arguments": {"column_A": "width", "column_B": "depth"},
            },
            "names 'depth'",
        ),
    ],
)
def test_a_mistake_is_told_where_the_project_is_loaded(
    expected: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        expecting("images", expected)


def test_an_unknown_table_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="the name of a table"):
        expecting("image", {"name": "expect_table_row_count_to_equal", "arguments": {"value": 1}})


def test_the_line_of_a_mistake_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "fruit"
    folder.mkdir()
    (folder / "project.yaml").write_text(
        "name: fruit\ntask: detection\ncharter: {problem: find fruit}\nsource: {images: images}\n"
        "annotations: {source: a.json}\nontology: {labels: [apple]}\n"
        "training: {model: fcos_resnet18, input_size: [96, 128]}\n"
        "expectations:\n  images:\n    - name: expect_column_to_exist\n      column: width\n"
        "    - name: expect_column_to_exist\n      column: with\n"
    )
    with pytest.raises(ProjectError, match=r"line 12: expectations\.images\.1 names 'with'"):
        load_project(folder / "project.yaml")


def test_the_columns_of_an_expectation() -> None:
    several = {"column_list": ["path", "split"]}
    assert columns_of("expect_compound_columns_to_be_unique", several) == ["path", "split"]
    assert columns_of("expect_table_row_count_to_equal", {"value": 3}) == []


def test_the_example_of_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    expectations = parse_yaml(example, Path("datasets.md")).values["expectations"]
    assert len(make_project(expectations=expectations).expectations["images"]) == 3


def test_every_check_and_setting_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text()
    rows = {line.split("|")[1] for line in page.splitlines() if line.startswith("| `")}
    named = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert set(CHECK_NAMES) <= named
    assert set(Split.model_fields) <= named
