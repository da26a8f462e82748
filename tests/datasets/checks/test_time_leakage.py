"""Time leakage: training on the future of a test, and on moments of a burst."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from cv_pipeline.datasets.checks.time_leakage import TIME_LEAKS, check_time_leakage
from tests.datasets.checks.contexts import make_context, with_rows
from tests.datasets.world import NOON, World, fruit_world, make_project, sha

BY_TIME = make_project(dataset={"split": {"strategy": "time"}})


def test_a_division_by_time_trains_on_the_past(tmp_path: Path) -> None:
    found = check_time_leakage(make_context(fruit_world(), tmp_path, BY_TIME), 0)
    assert found.passed
    assert found.summary == "Nothing that is trained on is newer than what is tested."
    assert found.rows.schema == TIME_LEAKS


def test_an_official_training_image_that_is_newer_than_the_test_is_named(tmp_path: Path) -> None:
    world = fruit_world()
    world.image("tomorrow", ["apple"], split="train")
    world.image("undated", ["apple"])
    world.rows["images"][-2]["captured_at"] = NOON + timedelta(days=30)
    world.rows["images"][-1]["captured_at"] = None
    # where train is official, what is open goes to the others, and nothing of it is trained on
    project = make_project(
        dataset={"split": {"strategy": "time", "ratios": {"train": 0, "val": 0.5, "test": 0.5}}}
    )
    found = check_time_leakage(make_context(world, tmp_path, project), 0)
    assert not found.passed
    (row,) = found.rows.to_pylist()
    assert (row["kind"], row["image_a"], row["split_b"]) == ("later", sha("tomorrow"), "test")
    assert row["seconds"] > 86_400 * 27
    assert found.metrics["untimed"] == 1
    assert "1 training image (100.0%) captured after the oldest test image" in found.summary
    assert "1 image without a capture time." in found.summary
    assert check_time_leakage(make_context(world, tmp_path / "again", project), 1).passed


def test_a_test_split_that_has_outgrown_its_share_is_told(tmp_path: Path) -> None:
    context = make_context(fruit_world(), tmp_path, BY_TIME)

    def grow(rows: list[dict[str, Any]]) -> None:
        for row in sorted(rows, key=lambda r: r["captured_at"])[20:]:
            row["split"] = "test"

    grown = with_rows(context, "manifest", grow)
    part = {"images": 40, "objects": 0, "labels": {}}
    record = grown.record.model_validate(
        {
            **grown.record.model_dump(mode="json"),
            "contents": {"train": {**part, "images": 20}, "test": part},
        }
    )
    from dataclasses import replace

    told = check_time_leakage(replace(grown, record=record), 0).summary
    assert "test has grown to 67% of the images: another dataset.split.seed" in told


def burst(*splits: str, seconds: int = 2, folder: str = "belt_1/") -> World:
    world = fruit_world()
    for n, split in enumerate(splits):
        world.image(f"burst {n}", ["apple"], split=split)
        taken = NOON + timedelta(days=90, seconds=n * seconds)
        world.rows["images"][-1] |= {"captured_at": taken, "path": f"{folder}{n}.jpg"}
    return world


def test_moments_of_a_burst_in_two_splits(tmp_path: Path) -> None:
    found = check_time_leakage(make_context(burst("train", "train", "test"), tmp_path), 0)
    assert not found.passed
    (row,) = found.rows.to_pylist()
    assert row == {
        "kind": "burst",
        "image_a": sha("burst 1"),
        "split_a": "train",
        "image_b": sha("burst 2"),
        "split_b": "test",
        "folder": "belt_1/",
        "seconds": 2.0,
    }
    assert found.summary.startswith("2 images (3.2%) captured within 5 seconds of one in another")
    assert found.metrics["time_leaks"] == 2


def test_other_folders_later_moments_and_one_split_are_no_burst(tmp_path: Path) -> None:
    for n, world in enumerate(
        [burst("train", "test", seconds=6), burst("test", "test"), burst("train", "val")]
    ):
        if n == 2:
            world.rows["images"][-1]["path"] = "belt_2/1.jpg"
        (tmp_path / str(n)).mkdir()
        found = check_time_leakage(make_context(world, tmp_path / str(n)), 0)
        assert found.passed
        assert found.summary.startswith("No images captured within 5 seconds of each other")


def test_a_bare_date_tells_no_moment(tmp_path: Path) -> None:
    world = burst("train", "test", seconds=0)
    for row in world.rows["images"][-2:]:
        row["captured_at"] = NOON.replace(hour=0)
    assert check_time_leakage(make_context(world, tmp_path), 0).passed
