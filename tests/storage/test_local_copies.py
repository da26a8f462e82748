"""Copies of an image are found by name and by content, and nothing else is touched."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

import pytest

from cv_pipeline.storage.local_copies import remove_copies
from cv_pipeline.storage.scratch import scratch_folder

PIXELS = b"pixels of the image"
IMAGE = hashlib.sha256(PIXELS).hexdigest()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name, data in {
        "cache/copies/any-name.jpg": PIXELS,
        f"cache/thumbnails/{IMAGE}.webp": b"small",
        "cache/copies/other.jpg": b"pixels of another one.",
        "cache/copies/as-long.jpg": b"pixels of the other",
        "store/blobs/kept.jpg": PIXELS,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("size", [len(PIXELS), None])
def test_by_name_and_by_content(home: Path, size: int | None):
    for expected in (2, 0):
        found = remove_copies(home, {IMAGE: size}, projects=["p"])
        assert len(found.removed) == expected
    left = sorted(p.name for p in home.rglob("*") if p.is_file())
    assert left == ["as-long.jpg", "kept.jpg", "other.jpg"]


@pytest.mark.parametrize("size", [len(PIXELS), None])
def test_a_file_that_others_remove_meanwhile_is_no_error(home: Path, monkeypatch, size: int | None):
    swept = home / "cache" / "copies" / "as-long.jpg"
    seen = Path.is_file

    def sweep_after(path: Path) -> bool:
        there = seen(path)
        swept.unlink(missing_ok=True)
        return there or path == swept

    monkeypatch.setattr(Path, "is_file", sweep_after)
    assert len(remove_copies(home, {IMAGE: size}, projects=["p"]).removed) == 2


def test_nothing_is_there_yet(tmp_path: Path):
    found = remove_copies(tmp_path, {IMAGE: 1}, projects=["p"])
    assert (found.removed, found.in_use) == ((), ())


def test_unfinished_work_of_dead_processes_goes_and_of_living_ones_is_told(tmp_path: Path):
    dead = tmp_path / "scratch" / platform.node() / "p-4194305-1.00-abc"
    elsewhere = tmp_path / "scratch" / "another-host" / "p-1-1.00-abc"
    for folder in (dead, elsewhere):
        folder.mkdir(parents=True)
        (folder / "images").write_bytes(PIXELS)
    with (
        scratch_folder(tmp_path / "scratch", project="p") as own,
        scratch_folder(tmp_path / "scratch", project="q"),
    ):
        dead.mkdir(exist_ok=True)
        found = remove_copies(tmp_path, {IMAGE: len(PIXELS)}, projects=["p"])
    assert found.in_use == tuple(sorted([own, elsewhere]))
    assert not dead.exists()


def test_what_lies_in_a_folder_of_the_image_goes(tmp_path: Path) -> None:
    image_id = "ab" * 32
    render = tmp_path / "cache" / "inspector" / "renders" / "ab" / image_id / "0123.jpg"
    other = render.parents[2] / "cd" / ("cd" * 32) / "0123.jpg"
    for path in (render, other):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"a small picture")
    assert remove_copies(tmp_path, {image_id: 7}, projects=[]).removed == (render,)
    assert not render.exists()
    assert other.exists()
