"""Contradictions: near-duplicates and annotators that say different things of one picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.datasets.checks.contradictions import CONTRADICTIONS, check_contradictions
from tests.datasets.checks.contexts import make_context, with_rows
from tests.datasets.world import World, fruit_world, make_project, sha


def test_no_contradictions(tmp_path: Path) -> None:
    world = fruit_world()
    world.image("copy", ["apple"], shows="image 1")
    found = check_contradictions(make_context(world, tmp_path), 0)
    assert found.passed
    assert found.summary == "No label of 61 images is contradicted."


def test_near_duplicates_with_different_labels(tmp_path: Path) -> None:
    world = fruit_world()
    world.image("copy", ["lemon", "lemon"], shows="image 1")
    context = make_context(world, tmp_path)
    found = check_contradictions(context, 0)
    assert not found.passed
    assert found.summary.startswith("2 of 61 images (3.3%) with contradicted labels: 1 near")
    assert found.rows.schema == CONTRADICTIONS
    (row,) = found.rows.to_pylist()
    assert {row["image_a"], row["image_b"]} == {sha("copy"), sha("image 1")}
    assert {row["labels_a"], row["labels_b"]} == {"apple 1", "lemon 2"}
    assert check_contradictions(context, 0.05).passed


@pytest.mark.parametrize(
    ("kind", "labels", "contradicted"),
    [
        ("same", ["apple"], True),  # one of two apples is not there
        ("cropped", ["apple"], False),  # it may have been cut away
        ("cropped_mirrored", ["apple"], False),
        ("cropped", ["apple", "lemon"], True),  # a lemon cannot have come in
        ("mirrored", ["apple", "apple"], False),
    ],
)
def test_a_crop_may_lose_objects(
    kind: str, labels: list[str], contradicted: bool, tmp_path: Path
) -> None:
    world = fruit_world()
    world.image("original", ["apple", "apple"])
    world.image("copy", labels, shows="original")
    context = make_context(world, tmp_path)
    context = with_rows(context, "near_duplicates", lambda rows: rows[0].update(kind=kind))
    assert check_contradictions(context, 0).passed is not contradicted


def test_a_copy_that_nobody_labelled_contradicts_nothing(tmp_path: Path) -> None:
    world = fruit_world()
    world.image("copy", shows="image 1")
    project = make_project(dataset={"query": {"labelled": None}})
    assert check_contradictions(make_context(world, tmp_path, project), 0).passed


def test_annotators_who_name_one_object_differently(tmp_path: Path) -> None:
    world = fruit_world()
    world.label("image 1", "lemon", annotator="bob")  # where ann sees an apple
    world.label("image 3", "apple", annotator="bob")  # as ann does
    world.label("image 5", "lemon", annotator="bob", number=3)  # another object
    world.label("image 7", "lemon", annotator="ann", x_min=6.0)  # ann's own two boxes
    found = check_contradictions(make_context(world, tmp_path), 0)
    assert found.rows.to_pylist() == [
        {
            "kind": "annotators",
            "image_a": sha("image 1"),
            "image_b": sha("image 1"),
            "labels_a": "ann: apple",
            "labels_b": "bob: lemon",
        }
    ]
    assert "1 image on which annotators chose different classes" in found.summary


def test_annotators_who_classify_one_image_differently(tmp_path: Path) -> None:
    world = World()
    for n in range(12):
        world.image(f"image {n}", ["apple"], kind="class", annotator="a")
        world.label(f"image {n}", "apple" if n else "lemon", kind="class", annotator="b")
        world.label(f"image {n}", "apple" if n else "kiwi", kind="class", annotator="c")
        world.label(f"image {n}", "apple", kind="class", annotator="d")
    project = make_project(task="classification")
    found = check_contradictions(make_context(world, tmp_path, project), 0)
    assert found.rows.to_pylist() == [
        {
            "kind": "annotators",
            "image_a": sha("image 0"),
            "image_b": sha("image 0"),
            "labels_a": "apple 2",
            "labels_b": "kiwi 1, lemon 1",
        }
    ]
    assert found.metrics["contradictory_share"] == pytest.approx(1 / 12)
