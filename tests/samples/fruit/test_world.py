from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from cv_pipeline.samples.fruit import FruitWorld, generate
from cv_pipeline.samples.fruit.painters import paint_photos
from cv_pipeline.samples.fruit.photos import plan_photos

# Changes with the world, and then GENERATOR_VERSION must change too.
DIGEST = "a388d1518dacad82e7d0d2d60f88637825423eb99d2457d0f71c91ab21dd0380"


def digest(folder: Path) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    lines = (
        f"{p.relative_to(folder).as_posix()} {hashlib.sha256(p.read_bytes()).hexdigest()}\n"
        for p in files
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def again(folder: Path, seed: int = 0) -> tuple[FruitWorld, list[tuple[int, int, str]]]:
    told: list[tuple[int, int, str]] = []
    world = generate(folder, seed=seed, progress=lambda *event: told.append(event))
    return world, told


def test_the_same_bytes_on_every_machine(fruit_folder: Path) -> None:
    assert digest(fruit_folder) == DIGEST


def test_the_number_of_processes_changes_nothing(fruit_folder: Path, tmp_path: Path) -> None:
    photos, _ = plan_photos(0)
    few = photos[::90] + [p for p in photos if p.copy][::6]
    paint_photos(0, few[::-1], tmp_path, progress=lambda done, total, what: None)
    for photo in few:
        expected = (fruit_folder / "images" / photo.path).read_bytes()
        assert (tmp_path / photo.path).read_bytes() == expected, photo.path


def test_what_is_there_is_left_alone(fruit_folder: Path) -> None:
    image = next((fruit_folder / "images").rglob("*.jpg"))
    before = image.stat().st_mtime_ns
    world, told = again(fruit_folder)
    assert image.stat().st_mtime_ns == before
    assert told == [(998, 998, "there already")]
    assert world.labels["kiwi"] == 8


def test_summary(fruit_folder: Path) -> None:
    world, _ = again(fruit_folder)
    images = [p for p in (fruit_folder / "images").rglob("*") if p.is_file()]
    assert world.images == len(images) == 998
    assert world.labelled == 850
    assert world.objects == sum(world.labels.values()) > 2200
    assert world.faults == {
        "broken files": 9,
        "unusual files": 7,
        "exact copies": 5,
        "near copies": 24,
        "contradictions": 8,
        "annotation faults": 7,
    }


def test_other_seeds_are_other_worlds_with_the_same_names_of_cameras() -> None:
    worlds = [plan_photos(seed) for seed in (0, 1, 2)]
    for (photos, broken), (others, _) in pairwise(worlds):
        assert len(photos) == len(others) == 989
        assert len(broken) == 9
        assert {p.shot.items for p in photos}.isdisjoint({p.shot.items for p in others})
        assert {p.shot.camera for p in photos} == {p.shot.camera for p in others}


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seed must be 0 or more, not -1"):
        again(tmp_path / "fruit", seed=-1)


def test_paths_say_when_and_where_and_are_distinct_by_name(fruit_folder: Path) -> None:
    with (fruit_folder / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        camera, name = row["path"].split("/")
        assert camera == row["camera"]
        assert name.startswith(row["captured_at"][:10])
    assert len({row["path"].split("/")[1] for row in rows}) == len(rows)


def test_metadata_spans_the_year_and_its_business(fruit_folder: Path) -> None:
    with (fruit_folder / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    times = [datetime.fromisoformat(row["captured_at"]) for row in rows]
    assert {t.year for t in times} == {2025}
    assert {t.month for t in times} == set(range(1, 13))
    assert all(t.utcoffset() is not None for t in times)
    assert {row["scene"] for row in rows} == {"conveyor", "outdoor"}
    assert {row["lighting"] for row in rows} == {"bright", "normal", "dim"}
    assert {row["weather"] for row in rows} == {"", "sunny", "overcast", "rain"}
    assert all((row["weather"] != "") == (row["scene"] == "outdoor") for row in rows)
    tags = Counter(tag for row in rows for tag in row["tags"].split(";") if tag)
    assert {"night_shift", "promo", "organic", "customer:northfield"} <= set(tags)
    assert sum(row["tags"] == "" for row in rows) > 100


def test_the_cameras_see_as_often_as_planned(fruit_folder: Path) -> None:
    counts = Counter(p.parent.name for p in (fruit_folder / "images").rglob("*.*"))
    assert counts.most_common(1)[0][0] == "belt_1"
    assert min(counts.values()) > 100


def test_the_summary_file_is_what_generate_returns(fruit_folder: Path) -> None:
    world, _ = again(fruit_folder)
    assert json.loads((fruit_folder / "world.json").read_bytes())["labels"] == world.labels


def test_killed_in_the_middle_nothing_half_made_stays(tmp_path: Path) -> None:
    folder = tmp_path / "fruit"
    code = (
        "from pathlib import Path\n"
        "from cv_pipeline.samples.fruit import generate\n"
        "if __name__ == '__main__':\n"
        f"    generate(Path({str(folder)!r}), progress=print)\n"
    )
    script = tmp_path / "make.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen(
        [sys.executable, "-u", str(script)], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    assert b"painting fruit" in process.stdout.readline()
    children = _children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert children
    deadline = time.monotonic() + 30
    while any(_alive(pid) for pid in children):
        assert time.monotonic() < deadline, "painters outlive the process that started them"
        time.sleep(0.05)
    assert not folder.exists()


def _children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(pid) for pid in tasks.read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
