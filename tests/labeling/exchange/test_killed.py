"""Processes of ``cvp push`` and ``cvp pull`` that are killed on the way, and run again."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas import PRELABELS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.tool.connection import TOKEN_VARIABLE
from cv_pipeline.labeling.tool.local_server import ADMIN
from cv_pipeline.storage import open_store
from tests.labeling.cutting_proxy import CuttingProxy, cutting_proxy
from tests.labeling.pushed_lake import PushedLake, make_lake
from tests.labeling.studio import Studio, box

CVP = str(Path(sys.executable).with_name("cvp"))
IMAGES = 260
"""More than are sent or read at once."""
MODEL = "ab" * 32
WAIT_SECONDS = 120.0


def big_lake(folder: Path, studio: Studio, url: str) -> PushedLake:
    """A lake of many images, with pre-labels on some, whose tool is reached by an address."""
    lake = make_lake(folder, studio, images=IMAGES)
    file = folder / "projects" / lake.name / "project.yaml"
    file.write_text(file.read_text().replace(studio.url, url))
    rows = [
        {
            "image_id": image, "model": MODEL, "object": 0, "label": "red", "kind": "bbox",
            "x_min": 8.0, "y_min": 6.0, "x_max": 24.0, "y_max": 30.0, "geometry": None,
            "score": 0.5, "uncertainty": 0.5, "made_at": datetime.now(UTC),
        }
        for image in lake.image_ids[::3]
    ]  # fmt: skip
    table = lake.catalog.table("prelabels")
    table.merge(pa.Table.from_pylist(rows, schema=PRELABELS), on=table.key)
    return lake


@pytest.fixture
def proxy(label_studio: Studio) -> Iterator[CuttingProxy]:
    with cutting_proxy(label_studio.server.port) as opened:
        yield opened


@pytest.fixture
def lake(
    label_studio: Studio, proxy: CuttingProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> PushedLake:
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    monkeypatch.setenv(TOKEN_VARIABLE, label_studio.token)
    return big_lake(tmp_path, label_studio, proxy.url)


def files(home: Path) -> int:
    """How many files there are below a folder."""
    found = 0
    for _, _, names in os.walk(home):
        found += len(names)
    return found


def kill_when(command: list[str], ready: Callable[[], bool]) -> bool:
    """Start a command and kill it when something has happened; returns whether it still ran."""
    process = subprocess.Popen(
        [CVP, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while process.poll() is None and not ready():
            assert time.monotonic() < deadline
            time.sleep(0.001)
    finally:
        process.kill()
        process.wait()
    return process.returncode < 0


def held(proxy: CuttingProxy, number: int, text: bytes = b"") -> Callable[[], bool]:
    """Whether the server gave an answer that will never arrive: that of number ``number``."""
    proxy.requests.clear()
    proxy.held.clear()
    proxy.hold = (number, text)
    return proxy.held.is_set


def table(lake: PushedLake, name: str, *, without: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows of a table but for what differs between any two runs."""
    rows = lake.catalog.table(name).read()
    rows = rows.select([c for c in rows.column_names if c not in without])
    return sorted(rows.to_pylist(), key=str)


def pulled(lake: PushedLake) -> dict[str, Any]:
    """Everything that a pull wrote down, but for when."""
    states: dict[int, list[str]] = {}
    for state in lake.states():
        states.setdefault(state["annotation"], []).append(state["digest"])
    pulls = lake.catalog.table("labeling_pulls").read().to_pylist()
    assert all(lake.store.exists(pull["frozen"]) for pull in pulls if pull["frozen"])
    return {
        "states": states,
        "annotations": table(lake, "tool_annotations", without=("seen_at",)),
        "tasks": table(lake, "labeling_tasks", without=()),
        "refused": table(lake, "quarantine", without=("at",)),
        "batches": table(lake, "labeling_batches", without=("at",)),
        "cursor": max(pull["cursor"] for pull in pulls),
    }


def in_tool(lake: PushedLake) -> dict[str, Any]:
    """What a push made there and wrote down, by the place of the image; no ids and no times."""
    places = {image: place for place, image in enumerate(lake.image_ids)}
    mine = [p.id for p in lake.studio.tool.projects() if f" {lake.name}/first]" in p.description]
    rows = lake.catalog.table("labeling_tasks").read().to_pylist()
    (number,) = mine
    there = dict(lake.studio.tool.task_data(number))
    assert {row["task"]: row["address"] for row in rows} == {
        task: data["image"] for task, data in there.items()
    }
    told = ("prelabel_model", "arm", "state", "ontology_version", "guideline_version")
    predicted = Counter(
        places[task["data"]["image_id"]]
        for page in lake.studio.tool.tasks(number, sorted(there))
        for task in page
        for _ in task["predictions"]
    )
    return {
        "tasks": sorted(places[data["image_id"]] for data in there.values()),
        "rows": sorted((places[r["image_id"]], *(r[name] for name in told)) for r in rows),
        "numbers": {row["tool_project"] for row in rows} == {number},
        "predicted": predicted,
        "batches": table(lake, "labeling_batches", without=("at",)),
        "model": lake.studio.tool.project(number).model,
    }


def label_in_all_ways(lake: PushedLake) -> None:
    """Labels on a third of the images, and some of each kind of what makes none."""
    studio, number = lake.studio, lake.tool_project()
    tasks = [lake.tasks()[image] for image in lake.image_ids]
    studio.of(ADMIN).send(
        "POST",
        "/api/dm/actions/",
        {"selectedItems": {"all": True, "excluded": []}, "model_version": MODEL},
        {"id": "predictions_to_annotations", "project": number},
    )
    for task in tasks[1:200:60]:
        studio.label("ann", task, box())
        studio.label("bob", task, box(), completed_by=studio.id_of("ann"))
    for task in tasks[2:200:100]:
        studio.label("cem", task, box())
        studio.label("cem", task, box("blue"))
        studio.label("dee", task, was_cancelled=True)
    data = {"image": "https://elsewhere.example/a.png", "image_id": "0" * 64}
    studio.of(ADMIN).send("PATCH", f"/api/tasks/{tasks[4]}/", {"data": data})
    studio.tool.add_tasks(number, [{"data": data}])


def change_again(lake: PushedLake) -> None:
    """Edits and deletions of what was pulled."""
    tasks = [lake.tasks()[image] for image in lake.image_ids]
    made = {state["task"]: state["annotation"] for state in lake.states()}
    for task in tasks[3:200:60]:
        lake.studio.edit(ADMIN, made[task], box("blue"))
    for task in tasks[6:200:60]:
        lake.studio.delete(ADMIN, made[task])
    for task in tasks[9:200:60]:
        lake.studio.of(ADMIN).send("DELETE", f"/api/tasks/{task}/", None)


@contextlib.contextmanager
def copied(lake: PushedLake, folder: Path) -> Iterator[PushedLake]:
    """The lake once more, of the same projects of the tool."""
    home = Path(shutil.copytree(lake.folder / "home", folder / "home"))
    store = open_store(str(home / "store"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CV_HOME", str(home))
        yield PushedLake(
            folder, lake.project, store, Catalog(store, lake.name), lake.studio, lake.image_ids
        )


def unbroken(lake: PushedLake, folder: Path) -> tuple[dict[str, Any], int]:
    """What a pull writes that nobody kills, and how many files."""
    with copied(lake, folder) as other:
        before = files(folder)
        other.pull()
        count = files(folder) - before
        return pulled(other), count


def test_a_pull_that_is_killed_and_run_again(lake, proxy, tmp_path):
    lake.push()
    label_in_all_ways(lake)
    expected, count = unbroken(lake, tmp_path / "unbroken")
    assert len(expected["annotations"]) > IMAGES / 3
    assert len({refusal["reason"] for refusal in expected["refused"]}) >= 5
    home, command = lake.folder / "home", ["pull", lake.name]
    # in the second page of tasks, and then among the writes after the last
    assert kill_when(command, held(proxy, 2, b"fields=all"))
    proxy.hold = None
    enough = files(home) + count // 3
    assert kill_when(command, lambda: files(home) >= enough)
    lake.pull()
    assert pulled(lake) == expected


def test_a_push_that_is_killed_and_run_again(lake, proxy, tmp_path, label_studio):
    other = big_lake(tmp_path / "unbroken", label_studio, label_studio.url)
    other.push()
    expected = in_tool(other)
    assert expected["tasks"] == list(range(IMAGES))
    command = ["push", lake.name, "--batch", "first"]
    # its tasks were made, and nobody wrote them down
    assert kill_when(command, held(proxy, 1, b"/import"))
    assert lake.push().found > 0
    assert in_tool(lake) == expected


def _by_request(proxy: CuttingProxy, number: int, home: Path) -> Callable[[], bool]:
    return held(proxy, number)


def _by_files(number: int, home: Path) -> Callable[[], bool]:
    enough = files(home) + number
    return lambda: files(home) >= enough


@pytest.mark.soak
def test_pulls_that_are_killed_at_any_moment(lake, proxy, tmp_path):
    lake.push()
    label_in_all_ways(lake)
    kills = _killed_pulls(lake, proxy, tmp_path / "first")
    lake.pull()
    change_again(lake)
    kills += _killed_pulls(lake, proxy, tmp_path / "second")
    print(f"{kills} pulls were killed and run again")
    assert kills > 40


def _killed_pulls(lake: PushedLake, proxy: CuttingProxy, folder: Path) -> int:
    expected, count = unbroken(lake, folder / "unbroken")
    places = sorted({max(1, round(count * part / 24)) for part in range(25)})
    moments = [partial(_by_request, proxy, n) for n in range(1, 12)]
    moments += [partial(_by_files, n) for n in places]
    killed = 0
    for place, moment in enumerate(moments):
        with copied(lake, folder / str(place)) as other:
            proxy.hold = None
            killed += kill_when(["pull", lake.name], moment(other.folder / "home"))
            other.pull()
            assert pulled(other) == expected, place
        shutil.rmtree(folder / str(place))
    return killed


@pytest.mark.soak
def test_pushes_that_are_killed_at_any_moment(lake, proxy, tmp_path, label_studio):
    before = files(lake.folder / "home")
    lake.push()
    expected, count = in_tool(lake), files(lake.folder / "home") - before
    killed = 0
    moments = [partial(_by_request, proxy, n) for n in range(9)]
    moments += [partial(_by_files, max(1, round(count * part / 8))) for part in range(9)]
    for place, moment in enumerate(moments):
        folder = tmp_path / str(place)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CV_HOME", str(folder / "home"))
            patch.setenv("CV_PROJECTS", str(folder / "projects"))
            other = big_lake(folder, label_studio, proxy.url)
            proxy.hold = None
            killed += kill_when(["push", other.name, "--batch", "first"], moment(folder / "home"))
            other.push()
            assert in_tool(other) == expected, place
        shutil.rmtree(folder)
    print(f"{killed} pushes were killed and run again")
    assert killed > 12
