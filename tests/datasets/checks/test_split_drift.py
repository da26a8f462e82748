"""Drift between splits: of measures, metadata and classes, beyond chance."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cv_pipeline.datasets.checks.finding import Finding
from cv_pipeline.datasets.checks.split_drift import SPLIT_DRIFT, check_split_drift
from tests.datasets.checks.contexts import make_context
from tests.datasets.world import World, make_project


def random_world(images: int = 300, *, darker: bool = False, snow: bool = False) -> World:
    """Images with official splits that differ by what is asked for."""
    rng = np.random.default_rng(0)
    world = World()
    for n in range(images):
        split = ["train", "train", "val", "test"][rng.integers(4)]
        tested = split == "test"
        light = rng.uniform(0.1, 0.3) if darker and tested else rng.uniform(0.3, 0.7)
        weather = "snow" if snow and tested and n % 8 else "dry"
        label = ["apple", "lemon"][rng.integers(2)]
        world.image(
            f"image {n}", [label], split=split, brightness=light, metadata={"weather": weather}
        )
    return world


def by(found: Finding, name: str, split: str) -> dict[str, Any]:
    rows = found.rows.to_pylist()
    return next(r for r in rows if (r["property"], r["split"]) == (name, split))


def look(world: World, folder: Path, **split: Any) -> Finding:
    project = make_project(dataset={"split": split})
    return check_split_drift(make_context(world, folder, project), 0.25)


def test_a_random_division_does_not_drift(tmp_path: Path) -> None:
    found = look(random_world(), tmp_path)
    assert found.passed
    assert found.rows.schema == SPLIT_DRIFT
    assert found.summary.startswith("Validation and test images look like training images in ")
    assert {"label", "image brightness", "objects per image"} <= set(
        found.rows["property"].to_pylist()
    )


def test_a_darker_test_split(tmp_path: Path) -> None:
    found = look(random_world(darker=True), tmp_path)
    assert not found.passed
    row = by(found, "image brightness", "test")
    assert row["found"]
    assert row["test"] == "kolmogorov_smirnov"
    assert row["statistic"] == pytest.approx(1)
    assert row["p"] < 1e-10
    assert row["share_split"] > row["share_train"] == 0
    assert not by(found, "image brightness", "val")["found"]
    assert found.rows["property"][0].as_py() == "image brightness"
    assert "image brightness in test" in found.summary


def test_weather_that_only_the_test_split_has(tmp_path: Path) -> None:
    found = look(random_world(snow=True), tmp_path)
    row = by(found, "weather", "test")
    assert (row["found"], row["test"], row["value"]) == (True, "chi_square", "snow")


def test_the_index_is_the_sum_over_the_values(tmp_path: Path) -> None:
    world = World()
    for n in range(80):
        split = "train" if n < 40 else "test"
        label = "apple" if n < 30 or n >= 70 else "lemon"
        world.image(f"image {n}", [label], split=split)
    halves = {"train": 0.5, "test": 0.5}
    row = by(look(world, tmp_path, ratios=halves), "label", "test")
    train, test = [30.5 / 41, 10.5 / 41], [10.5 / 41, 30.5 / 41]
    terms = [(q - p) * math.log(q / p) for p, q in zip(train, test, strict=True)]
    assert row["psi"] == pytest.approx(sum(terms))
    assert row["found"]


def test_a_key_that_is_kept_together_differs_by_intent(tmp_path: Path) -> None:
    world = World()
    for n in range(120):
        world.image(f"image {n}", ["apple"], metadata={"line": str(n % 6)})
    names = set(look(world, tmp_path, group_by=["line"]).rows["property"].to_pylist())
    assert "line" not in names
    assert "label" in names


def test_one_split_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    world = World()
    for n in range(20):
        world.image(f"image {n}", ["apple"])
    found = look(world, tmp_path, ratios={"train": 1})
    assert found.passed
    assert len(found.rows) == 0
