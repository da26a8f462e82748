"""Representation: shares against the lake's, with chance, and rarity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cv_pipeline.datasets.checks.finding import Finding
from cv_pipeline.datasets.checks.representation import REPRESENTATION, check_representation
from tests.datasets.checks.contexts import make_context
from tests.datasets.world import World, fruit_world, make_project


def look(world: World, folder: Path, threshold: float = 0.8) -> Finding:
    return check_representation(make_context(world, folder), threshold)


def row_of(found: Finding, key: str, value: str) -> dict[str, object]:
    rows = found.rows.to_pylist()
    return next(r for r in rows if (r["key"], r["value"]) == (key, value))


def test_a_dataset_of_the_whole_lake_has_its_shares(tmp_path: Path) -> None:
    found = look(fruit_world(), tmp_path)
    assert found.passed
    assert found.rows.schema == REPRESENTATION
    assert found.summary == ("Each of 9 groups has about its share of the lake, and none is rare.")
    row = row_of(found, "camera", "yard")
    assert (row["images"], row["share"], row["times_lake"]) == (20, pytest.approx(1 / 3), 1)
    assert row["residual"] == 0


def test_what_was_labelled_less_is_under_represented(tmp_path: Path) -> None:
    world = World()
    for n in range(300):
        outdoor = n % 2 == 0
        labelled = not outdoor or n % 10 == 0  # a fifth of the outdoor images
        labels = ["apple"] if labelled else []
        world.image(f"image {n}", labels, metadata={"scene": "outdoor" if outdoor else "indoor"})
    found = look(world, tmp_path)
    assert not found.passed
    row = row_of(found, "scene", "outdoor")
    assert (row["status"], row["images"]) == ("under", 30)
    assert (row["share"], row["lake_share"]) == (pytest.approx(1 / 6), 0.5)
    assert row["times_lake"] == pytest.approx(1 / 3)
    assert row["residual"] < -10
    assert row_of(found, "scene", "indoor")["status"] == "over"
    assert "1 under-represented against the lake (scene = outdoor 16.7% of 50.0%)" in found.summary
    assert found.rows["status"][0].as_py() in ("under", "over")
    assert look(world, tmp_path / "less", threshold=0.3).passed


def test_chance_is_no_bias(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    world = World()
    for n in range(200):
        labels = ["apple"] if rng.random() < 0.3 else []
        world.image(f"image {n}", labels, metadata={"line": f"l{rng.integers(20)}"})
    found = look(world, tmp_path)
    off = [r for r in found.rows.to_pylist() if not 0.8 < r["times_lake"] < 1.25]
    assert off  # by the ratio alone they would be blamed
    assert found.metrics["under"] == found.metrics["over"] == 0


def test_a_rare_class_is_told(tmp_path: Path) -> None:
    world = World()
    for n in range(200):
        world.image(f"image {n}", ["kiwi" if n < 2 else ["apple", "lemon"][n % 2]])
    found = look(world, tmp_path)
    row = row_of(found, "", "kiwi")
    assert row["status"] == "rare"
    assert row["times_even"] == pytest.approx(2 / (200 / 3))
    assert "1 rare (kiwi 1.0% of 1.0%)" in found.summary


def test_a_key_that_names_single_images_is_no_group(tmp_path: Path) -> None:
    world = World()
    for n in range(1001):
        world.image(f"image {n}", ["apple"], metadata={"frame": str(n)}, features=n < 30)
    found = look(world, tmp_path)
    assert set(found.rows["key"].to_pylist()) == {""}
    assert found.metrics["keys_skipped"] == 1


def test_without_metadata_the_classes_are_compared(tmp_path: Path) -> None:
    world = World()
    for n in range(20):
        world.image(f"image {n}", ["apple"])
    found = check_representation(make_context(world, tmp_path, make_project()), 0.8)
    assert found.passed
    assert found.rows["value"].to_pylist() == ["apple"]
