"""Giveaways: a camera or a brightness that tells the class is found, chance is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cv_pipeline.datasets.checks.finding import Finding
from cv_pipeline.datasets.checks.giveaway import GIVEAWAYS, MAIN_LABEL, check_giveaway
from tests.datasets.checks.contexts import make_context
from tests.datasets.world import World


def look(world: World, folder: Path, threshold: float = 0.5) -> Finding:
    return check_giveaway(make_context(world, folder), threshold)


def by_property(found: Finding) -> dict[str, dict[str, Any]]:
    return {row["property"]: row for row in found.rows.to_pylist()}


def random_world(images: int = 200) -> World:
    """Labels that nothing tells."""
    rng = np.random.default_rng(3)
    world = World()
    for n in range(images):
        label = ["apple", "lemon", "kiwi"][rng.integers(3)]
        metadata = {"camera": f"c{rng.integers(4)}", "frame": str(n)}
        world.image(f"image {n}", [label], metadata=metadata)
    return world


def test_chance_gives_nothing_away(tmp_path: Path) -> None:
    found = look(random_world(), tmp_path, threshold=0.1)
    assert found.passed
    assert found.rows.schema == GIVEAWAYS
    assert {"camera", "frame", "image brightness", "capture hour"} <= set(by_property(found))
    assert "image width" not in by_property(found)  # the same for every image
    assert found.summary.startswith("None of ")
    assert found.summary.endswith("metadata keys and properties gives a label away.")


def test_a_camera_that_sees_one_class_only(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    world = World()
    for n in range(200):
        camera = int(rng.integers(4))
        labels = ["lemon"] if camera == 3 else [["apple", "kiwi"][rng.integers(2)]]
        world.image(f"image {n}", labels, metadata={"camera": f"camera {camera}"})
    found = look(world, tmp_path)
    assert not found.passed
    row = by_property(found)["camera"]
    assert (row["target"], row["value"], row["found"]) == ("lemon", "camera 3", True)
    assert row["gain"] == pytest.approx(1)
    assert row["accuracy"] == pytest.approx(1)
    assert row["chance"] < 0.85
    assert "camera alone predicts lemon correctly on 100% of images" in found.summary
    assert found.metrics["giveaways"] == 1
    assert found.rows["property"][0].as_py() == "camera"


def test_a_class_that_is_darker_than_the_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    world = World()
    for n in range(200):
        dark = n % 2
        light = rng.uniform(0.1, 0.4) if dark else rng.uniform(0.5, 0.8)
        world.image(f"image {n}", ["kiwi" if dark else "lemon"], brightness=light)
    row = by_property(look(world, tmp_path))["image brightness"]
    assert row["found"]
    assert row["gain"] > 0.9


def test_a_rare_class_is_not_drowned(tmp_path: Path) -> None:
    world = World()
    for n in range(300):
        rare = n % 50 == 0
        labels = ["apple", *(["kiwi"] if rare else [])]
        world.image(f"image {n}", labels, metadata={"line": "new" if rare else "old"})
    row = by_property(look(world, tmp_path))["line"]
    assert (row["target"], row["found"]) == ("kiwi", True)


def test_copies_in_one_fold_do_not_make_a_key_predictive(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    world = World()
    for scene in range(60):
        label = ["apple", "lemon"][rng.integers(2)]
        for copy in range(4):  # a value of its own for each scene, which four copies share
            world.image(
                f"{scene} {copy}", [label], shows=f"{scene}", metadata={"visit": f"v{scene}"}
            )
    row = by_property(look(world, tmp_path))["visit"]
    assert not row["found"]
    assert row["gain"] < 0.2


def test_the_main_label_is_the_most_frequent(tmp_path: Path) -> None:
    world = World()
    for n in range(90):
        # every class is on every image, in other numbers
        many = ["apple", "lemon", "kiwi"][n % 3]
        labels = [many, many, *({"apple", "lemon", "kiwi"} - {many})]
        world.image(f"image {n}", sorted(labels), metadata={"belt": many})
    row = by_property(look(world, tmp_path))["belt"]
    assert (row["target"], row["found"]) == (MAIN_LABEL, True)
    assert row["gain"] == pytest.approx(1)
