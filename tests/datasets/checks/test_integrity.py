"""Integrity: every kind of row that leads nowhere or says what cannot be is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cv_pipeline.datasets.checks import CheckContext
from cv_pipeline.datasets.checks.integrity import PROBLEMS, check_integrity
from tests.datasets.checks.contexts import make_context, with_rows
from tests.datasets.world import NOON, World, fruit_world, make_project, sha

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> CheckContext:
    return make_context(fruit_world(), tmp_path_factory.mktemp("sound"))


def test_a_sound_candidate_passes(sound: CheckContext) -> None:
    found = check_integrity(sound, 0)
    assert found.passed
    assert found.summary == "60 images with 66 labels fit together."
    assert found.rows.num_rows == 0


def box(**edges: float | None) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[3].update(edges)

    return change


@pytest.mark.parametrize(
    ("table", "change", "problem"),
    [
        ("manifest", lambda rows: rows.append(rows[0]), "repeated_image"),
        ("manifest", lambda rows: rows[0].update(image_id="0" * 64), "unknown_image"),
        ("manifest", lambda rows: rows.pop(), "stray_label"),
        ("annotations", lambda rows: rows.append(rows[0]), "repeated_annotation"),
        ("annotations", lambda rows: rows[0].update(image_id="0" * 64), "stray_label"),
        ("annotations", box(x_min=None), "bad_box"),  # no edge
        ("annotations", box(x_min=float("nan")), "bad_box"),
        ("annotations", box(y_max=float("inf")), "bad_box"),
        ("annotations", box(x_min=50.0, x_max=40.0), "bad_box"),  # inverted
        ("annotations", box(y_min=20.0, y_max=20.0), "bad_box"),  # empty
        ("annotations", box(x_min=-0.5), "bad_box"),  # out of the frame, to the left
        ("annotations", box(y_max=80.5), "bad_box"),  # and below
        ("annotations", lambda rows: rows.clear(), "no_labels"),
        ("manifest", lambda rows: rows.clear(), "no_images"),
    ],
)
def test_a_problem_is_named(
    table: str, change: Callable[[Rows], None], problem: str, sound: CheckContext
) -> None:
    found = check_integrity(with_rows(sound, table, change), 0)
    assert not found.passed
    assert problem in found.rows["problem"].to_pylist()
    assert problem in found.summary
    assert found.rows.schema == PROBLEMS


def test_a_box_may_touch_the_frame(sound: CheckContext) -> None:
    whole = box(x_min=0.0, y_min=0.0, x_max=100.0, y_max=80.0)
    assert check_integrity(with_rows(sound, "annotations", whole), 0).passed


def test_problems_up_to_the_threshold_pass(sound: CheckContext) -> None:
    context = with_rows(sound, "annotations", box(x_min=-3.0))
    assert not check_integrity(context, 0).passed
    assert check_integrity(context, 1).passed


def test_two_classes_on_a_classified_image(tmp_path: Path) -> None:
    world = World()
    for n in range(12):
        world.image(f"image {n}", ["apple"], kind="class")
    context = make_context(world, tmp_path, make_project(task="classification"))
    assert check_integrity(context, 0).passed

    def change(rows: Rows) -> None:
        rows.append(rows[0] | {"annotation_id": "another", "label": "lemon"})

    found = check_integrity(with_rows(context, "annotations", change), 0)
    assert found.rows["problem"].to_pylist() == ["second_class"]


def test_what_was_refused_before_is_told(tmp_path: Path) -> None:
    world = fruit_world()
    world.image("damaged", ["apple"], features=False)
    world.label("image 1", "apple", number=0, annotation_id="again", created_at=NOON)
    refused = {"file": "a.jpg", "field": "", "reason": "corrupt_image", "detail": "it is cut off"}
    for n, stage in enumerate(["raw_images", "raw_images", "annotation_exports"]):
        row = {**refused, "stage": stage, "field": str(n), "fingerprint": "1", "at": NOON}
        world.rows["quarantine"].append(row)
    found = check_integrity(make_context(world, tmp_path), 0)
    assert found.passed
    assert found.summary == (
        "60 images with 67 labels fit together; besides, 1 selected image left out as unreadable,"
        " 1 box drawn twice, 2 files in quarantine, 1 annotation in quarantine."
    )
    assert found.metrics["quarantined_files"] == 2


def test_an_image_that_the_catalogue_lost(sound: CheckContext, tmp_path: Path) -> None:
    lost = with_rows(sound, "manifest", lambda rows: rows[5].update(image_id=sha("lost")))
    rows = check_integrity(lost, 0).rows.to_pylist()
    assert {"problem": "unknown_image", "image_id": sha("lost"), "annotation_id": None} in rows
