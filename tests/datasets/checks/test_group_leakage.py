"""Group leakage: a value of a group key that an official split parts is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cv_pipeline.datasets.checks.group_leakage import CROSSING_GROUPS, check_group_leakage
from tests.datasets.checks.contexts import make_context, with_rows
from tests.datasets.world import fruit_world, make_project

BY_LINE = make_project(dataset={"split": {"group_by": ["line"]}})


def test_without_group_keys_it_says_so(tmp_path: Path) -> None:
    found = check_group_leakage(make_context(fruit_world(), tmp_path), 0)
    assert found.passed
    assert "No group keys are set" in found.summary


def test_groups_that_the_split_keeps_together(tmp_path: Path) -> None:
    found = check_group_leakage(make_context(fruit_world(), tmp_path, BY_LINE), 0)
    assert found.passed
    assert found.summary == "0 of 4 values of line in several splits."


def test_an_official_split_that_parts_a_group_fails(tmp_path: Path) -> None:
    world = fruit_world()
    for n in range(6):
        split = "test" if n < 2 else "train"
        world.image(f"more {n}", ["lemon"], split=split, metadata={"line": "9"})
    found = check_group_leakage(make_context(world, tmp_path, BY_LINE), 0)
    assert not found.passed
    assert found.summary.startswith("1 of 5 values of line in several splits. Splits that")
    assert found.rows.schema == CROSSING_GROUPS
    assert found.rows.to_pylist() == [
        {"key": "line", "value": "9", "splits": "test 2, train 4", "images": 6}
    ]


def test_a_group_in_two_folds_fails(tmp_path: Path) -> None:
    by_line = make_project(dataset={"split": {"group_by": ["line"], "folds": 2}})
    world = fruit_world()
    for n in range(40):
        world.image(f"more {n}", ["lemon", "kiwi"], metadata={"line": f"of {n}"})
    context = make_context(world, tmp_path, by_line)
    assert check_group_leakage(context, 0).passed
    line = {r["image_id"]: r["value"] for r in context.metadata.to_pylist() if r["key"] == "line"}

    def move(rows: list[dict[str, Any]]) -> None:
        of_group = [r for r in rows if r["fold"] and line[r["image_id"]] in "0123"]
        of_group[0]["fold"] = 3 - of_group[0]["fold"]

    found = check_group_leakage(with_rows(context, "manifest", move), 0)
    assert not found.passed
    (row,) = found.rows.to_pylist()
    assert "(fold 1) " in row["splits"]
    assert "(fold 2) " in row["splits"]
