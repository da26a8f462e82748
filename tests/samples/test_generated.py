from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from cv_pipeline.errors import SourceError
from cv_pipeline.samples.generated import ensure_generated


def build(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "images" / "a.txt").write_text("apple")
    (folder / "table.csv").write_text("path\n")


def never(folder: Path) -> None:
    raise AssertionError("it is there already")


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "world"


def test_builds_once(folder: Path) -> None:
    assert ensure_generated(folder, recipe="1", build=build)
    assert not ensure_generated(folder, recipe="1", build=never)
    assert names(folder) == ["generated.json", "images/a.txt", "table.csv"]


def test_another_recipe_replaces_all(folder: Path) -> None:
    ensure_generated(folder, recipe="1", build=build)
    assert ensure_generated(
        folder, recipe="2", build=lambda f: (f / "b.txt").write_text("") and None
    )
    assert names(folder) == ["b.txt", "generated.json"]


@pytest.mark.parametrize("content", [None, "app"], ids=["gone", "cut short"])
def test_an_incomplete_folder_is_built_anew(folder: Path, content: str | None) -> None:
    ensure_generated(folder, recipe="1", build=build)
    harmed = folder / "images" / "a.txt"
    harmed.unlink() if content is None else harmed.write_text(content)
    assert ensure_generated(folder, recipe="1", build=build)
    assert harmed.read_text() == "apple"


def test_without_a_marker_nobody_knows_whose_the_files_are(folder: Path) -> None:
    ensure_generated(folder, recipe="1", build=build)
    (folder / "generated.json").write_text('{"recipe": "1", "siz')
    with pytest.raises(SourceError, match="holds 2 files that were not generated"):
        ensure_generated(folder, recipe="1", build=never)


def test_own_files_beside_the_generated_ones_are_left_alone(folder: Path) -> None:
    ensure_generated(folder, recipe="1", build=build)
    (folder / "images" / "mine.jpg").write_text("mine")
    assert not ensure_generated(folder, recipe="1", build=never)
    assert (folder / "images" / "mine.jpg").exists()


def test_own_files_are_never_lost(folder: Path) -> None:
    ensure_generated(folder, recipe="1", build=build)
    (folder / "images" / "mine.jpg").write_text("mine")
    with pytest.raises(SourceError, match=r"holds 1 files .* 'images/mine\.jpg'.*Move them away"):
        ensure_generated(folder, recipe="2", build=never)
    assert names(folder) == ["generated.json", "images/a.txt", "images/mine.jpg", "table.csv"]


def test_a_folder_of_someone_else_is_refused(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(SourceError, match=r"thesis\.txt"):
        ensure_generated(folder, recipe="1", build=never)


def test_a_failed_build_changes_nothing(folder: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("ha")
        raise RuntimeError("disk full")

    ensure_generated(folder, recipe="1", build=build)
    with pytest.raises(RuntimeError, match="disk full"):
        ensure_generated(folder, recipe="2", build=fail)
    assert not ensure_generated(folder, recipe="1", build=never)
    assert ensure_generated(folder, recipe="2", build=build)
    assert names(folder.parent) == [
        ".world.lock",
        "world/generated.json",
        "world/images/a.txt",
        "world/table.csv",
    ]


def test_leftovers_of_a_killed_process_are_cleared(folder: Path) -> None:
    for name in (".world.partial", ".world.old"):
        (folder.parent / name / "images").mkdir(parents=True)
        (folder.parent / name / "images" / "half.jpg").write_text("ha")
    ensure_generated(folder, recipe="1", build=build)
    assert sorted(p.name for p in folder.parent.iterdir()) == [".world.lock", "world"]


def test_of_two_at_once_one_builds(folder: Path) -> None:
    def slowly(folder: Path) -> None:
        time.sleep(0.2)
        build(folder)

    built: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: built.append(ensure_generated(folder, recipe="1", build=slowly))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(built) == [False, True]
