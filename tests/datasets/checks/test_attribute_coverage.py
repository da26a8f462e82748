"""Attribute coverage: every declared value in every split that could hold it."""

from __future__ import annotations

import json
from pathlib import Path

from cv_pipeline.datasets.checks.attribute_coverage import ATTRIBUTES, check_attribute_coverage
from tests.datasets.checks.contexts import make_context
from tests.datasets.world import World, fruit_world, make_project

ONTOLOGY = {
    "labels": ["apple", "lemon", "kiwi"],
    "attributes": {"occluded": [], "ripeness": ["green", "ripe", "rotten"]},
}
PROJECT = make_project(ontology=ONTOLOGY)


def world_with(*, hidden: int, official: bool = False) -> World:
    """Every label has a ripeness, and ``hidden`` images one that is occluded."""
    world = World()
    for n in range(60):
        split = ("test" if n >= 50 else "train") if official else None
        world.image(f"image {n}", ["apple"], split=split)
        attributes = {"ripeness": ["green", ["ripe", "green"]][n % 2], "other": 3}
        if n < hidden:
            attributes["occluded"] = True
        world.rows["annotations"][-1]["attributes"] = json.dumps(attributes)
    return world


def test_without_declared_attributes_nothing_is_missing(tmp_path: Path) -> None:
    found = check_attribute_coverage(make_context(fruit_world(), tmp_path), 1)
    assert found.passed
    assert found.summary == "No attributes are declared (ontology.attributes)."


def test_values_of_every_kind_are_counted(tmp_path: Path) -> None:
    found = check_attribute_coverage(make_context(world_with(hidden=9), tmp_path, PROJECT), 1)
    assert found.rows.schema == ATTRIBUTES
    rows = {(r["attribute"], r["value"]): r for r in found.rows.to_pylist()}
    assert list(rows) == [
        ("occluded", "true"),
        ("occluded", "false"),
        ("ripeness", "green"),
        ("ripeness", "ripe"),
        ("ripeness", "rotten"),
    ]
    total = {k: r["train"] + r["val"] + r["test"] for k, r in rows.items()}
    assert list(total.values()) == [9, 0, 60, 30, 0]
    assert rows["occluded", "false"]["status"] == "absent"
    assert "2 values without any label (occluded false, ripeness rotten)" in found.summary


def test_a_split_that_could_have_a_value_and_has_not(tmp_path: Path) -> None:
    world = world_with(hidden=9, official=True)
    project = make_project(
        ontology=ONTOLOGY, dataset={"split": {"ratios": {"train": 0.5, "test": 0.5}}}
    )
    found = check_attribute_coverage(make_context(world, tmp_path, project), 1)
    assert not found.passed
    assert found.rows.to_pylist()[0]["status"] == "missing"
    assert "1 value missing from a split or fold that could hold them (occluded true)" in (
        found.summary
    )
    assert found.metrics["missing"] == 1
