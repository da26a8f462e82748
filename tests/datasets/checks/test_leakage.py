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
        "3 pairs of near-duplicate images (3 re-encoded or resized) are kept in one split;"
        " none crosses."
    )
    assert found.metrics == {"pairs": 3, "pairs_across_splits": 0, "pairs_same": 3}


def test_an_official_split_that_parts_a_pair_fails(tmp_path: Path) -> None:
    world = fruit_world()
    world.image("original", ["apple"], split="train")
    world.image("copy", ["apple"], shows="original", split="test")
    world.image("third", ["apple"], shows="original")
    found = check_leakage(make_context(world, tmp_path), 0)
    assert not found.passed
    assert found.summary == (
        "2 pairs of near-duplicate images (2 re-encoded or resized) cross splits: 2 test/train."
    )
    assert found.rows.schema == LEAKS
    images = {x for row in found.rows.to_pylist() for x in (row["image_a"], row["image_b"])}
    assert images == {sha("original"), sha("copy"), sha("third")}
    assert check_leakage(make_context_again(world, tmp_path), 2).passed


def make_context_again(world, tmp_path):  # type: ignore[no-untyped-def]  # one line of a test
    folder = tmp_path / "again"
    folder.mkdir()
    return make_context(world, folder)


def test_one_image_in_two_splits(tmp_path: Path) -> None:
    context = make_context(fruit_world(), tmp_path)
    split = context.manifest["split"][0].as_py()
    other = "val" if split != "val" else "test"
    twice = with_rows(context, "manifest", lambda rows: rows.append(rows[0] | {"split": other}))
    found = check_leakage(twice, 0)
    assert not found.passed
    assert found.rows["kind"].to_pylist() == ["exact"]
