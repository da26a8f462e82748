"""Leakage: near-duplicates that an official split parts are named; the others are counted."""

from __future__ import annotations

from pathlib import Path

from cv_pipeline.datasets.checks.leakage import LEAKS, check_leakage
from tests.datasets.checks.contexts import make_context, with_rows
from tests.datasets.world import fruit_world, sha


def test_no_near_duplicates(tmp_path: Path) -> None:
    found = check_leakage(make_context(fruit_world(), tmp_path), 0)
    assert found.passed
    assert found.summary == "There are no near-duplicate images."


def test_pairs_that_the_split_keeps_together_are_counted(tmp_path: Path) -> None:
    world = fruit_world()
    for n in range(3):
        world.image(f"copy {n}", ["apple"], shows=f"image {n}")
    found = check_leakage(make_context(world, tmp_path), 0)
    assert found.passed
    assert found.summary == (
        "No near-duplicate images cross splits; 3 pairs (3 re-encoded or resized) kept together."
    )
    assert found.metrics == {
        "pairs": 3,
        "pairs_across_splits": 0,
        "left_out": 0,
        "pairs_same": 3,
    }


def test_an_official_split_that_parts_a_pair_fails(tmp_path: Path) -> None:
    world = fruit_world()
    world.image("original", ["apple"], split="train")
    world.image("copy", ["apple"], shows="original", split="test")
    context = make_context(world, tmp_path)
    found = check_leakage(context, 0)
    assert not found.passed
    assert found.summary.startswith(
        "Near-duplicate images cross splits in 1 pair (1 re-encoded or resized): 1 test/train."
    )
    assert found.rows.schema == LEAKS
    (row,) = found.rows.to_pylist()
    assert {row["image_a"], row["image_b"]} == {sha("original"), sha("copy")}
    assert check_leakage(context, 1).passed


def test_one_image_in_two_splits(tmp_path: Path) -> None:
    context = make_context(fruit_world(), tmp_path)
    split = context.manifest["split"][0].as_py()
    other = "val" if split != "val" else "test"
    twice = with_rows(context, "manifest", lambda rows: rows.append(rows[0] | {"split": other}))
    found = check_leakage(twice, 0)
    assert not found.passed
    assert found.rows["kind"].to_pylist() == ["exact"]
