"""Class coverage: a class that a split could hold and does not; rarity is told, not blamed."""

from __future__ import annotations

from pathlib import Path

from cv_pipeline.datasets.checks.class_coverage import COVERAGE, check_class_coverage
from tests.datasets.checks.contexts import make_context, with_rows
from tests.datasets.world import World, fruit_world, make_project


def statuses(rows: list[dict[str, object]]) -> dict[object, object]:
    return {row["label"]: row["status"] for row in rows}


def test_every_class_in_every_split(tmp_path: Path) -> None:
    found = check_class_coverage(make_context(fruit_world(), tmp_path), 1)
    assert found.passed
    assert found.summary == "All 3 classes are in every split."
    assert found.rows.schema == COVERAGE
    assert found.rows["label"].to_pylist() == ["apple", "lemon", "kiwi"]
    assert found.metrics["rarest_images"] == 6


def test_without_images_no_class_is_covered(tmp_path: Path) -> None:
    context = make_context(fruit_world(), tmp_path)
    empty = with_rows(with_rows(context, "manifest", list.clear), "annotations", list.clear)
    found = check_class_coverage(empty, 1)
    assert set(found.rows["status"].to_pylist()) == {"absent"}


def test_what_no_division_could_mend_is_told(tmp_path: Path) -> None:
    world = fruit_world()
    world.image("only", ["plum"])
    project = make_project(ontology={"labels": ["apple", "lemon", "kiwi", "plum", "fig"]})
    found = check_class_coverage(make_context(world, tmp_path, project), 1)
    assert found.passed
    assert statuses(found.rows.to_pylist())["plum"] == "too_rare"
    assert found.summary == (
        "Of 5 classes: 1 class too rare to be in every split (plum);"
        " 1 class without any label (fig)."
    )


def official(**test_labels: int) -> World:
    """Apples and lemons in an official training split, and what is given in the others."""
    world = World()
    for split in ("train", "val", "test"):
        for n in range(8):
            labels = ["apple"] if split == "test" else ["apple", "lemon"]
            world.image(f"{split} {n}", labels, split=split)
    return world


def test_an_official_split_without_a_class_fails(tmp_path: Path) -> None:
    project = make_project(ontology={"labels": ["apple", "lemon"]})
    found = check_class_coverage(make_context(official(), tmp_path, project), 1)
    assert not found.passed
    assert found.rows.to_pylist()[1] == {
        "label": "lemon",
        "train": 8,
        "val": 8,
        "test": 0,
        "folds": 0,
        "units": 16,
        "status": "missing",
    }
    assert "1 class missing from a split or fold that could hold them (lemon)" in found.summary


def test_the_threshold_is_the_least_number_of_images(tmp_path: Path) -> None:
    context = make_context(fruit_world(), tmp_path)
    # six kiwis cannot be two in each split by the ratios, and could by their number
    found = check_class_coverage(context, 2)
    assert not found.passed
    assert statuses(found.rows.to_pylist()) == {
        "apple": "covered",
        "lemon": "covered",
        "kiwi": "missing",
    }
    assert check_class_coverage(context, 3).passed  # nine would be needed: too rare
