"""Push, pull, incremental pull and reconciliation against a real Label Studio on this machine.

python benchmarks/label_studio.py [IMAGES]

2,000 images with pre-labels are pushed, five accounts label them all (written straight into its
tables, which is not timed), and 10,000 annotations are pulled; then 50 are edited and 20 deleted
through its API as their annotators do, and pulled; then 100 tasks are deleted and reconciled. The
images have no pixels: none are needed. The other side is the tool's own JSON export of the same.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa

from cv_pipeline.catalog.datalake.image_batches import set_aside
from cv_pipeline.catalog.schemas import IMAGES, PRELABELS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange.history import current_annotations
from cv_pipeline.labeling.exchange.pull import pull
from cv_pipeline.labeling.exchange.push import push
from cv_pipeline.labeling.tool.connection import Connection
from cv_pipeline.labeling.tool.label_studio import Tool
from cv_pipeline.labeling.tool.local_server import ADMIN, INSTALLED, Account, LocalServer, prepare
from cv_pipeline.project import Project, load_project
from cv_pipeline.storage import ObjectStore, open_store

SIZE = 2000
BOXES = 3
EDITS, DELETIONS, TASKS = 50, 20, 100
WIDTH, HEIGHT = 640, 480
PEOPLE = tuple(f"{name}@example.org" for name in ("ann", "bob", "cem", "dee", "eve"))
PROJECT = """\
name: bench
task: detection
charter: {{problem: how fast it is}}
source:
  images: ${{CV_HOME}}/images
labeling:
  url: {url}
  hand_off: {{enforce: false}}
ontology: {{labels: [apple, pear, plum]}}
training: {{model: fcos_resnet18, input_size: [48, 64]}}
"""


def main() -> None:
    """Measure everything once, and print it."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else SIZE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"CV_HOME": str(folder / "home"), "CV_PROJECTS": str(folder / "projects")}
        accounts = prepare(folder / "data", PEOPLE)
        server = LocalServer(folder / "data")
        server.start()
        try:
            measure(folder, server, accounts, size)
        finally:
            server.stop()


def measure(folder: Path, server: LocalServer, accounts: dict[str, Account], size: int) -> None:
    """Push, pull, change, pull, delete, pull."""
    project, store, catalog, image_ids = lake(folder, server.url, size)
    tool = Tool(Connection(server.url, accounts[ADMIN].token))
    more: dict[str, Any] = {"catalog": catalog, "store": store, "tool": tool}
    print(f"{size:,} images of {BOXES} pre-labels, {len(PEOPLE)} accounts")
    print(f"Label Studio {tool.version()} on SQLite, Python {platform.python_version()}", end=", ")
    print(f"pylance {version('pylance')}, {platform.machine()}", end=", ")
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
    pushed, push_seconds = timed(lambda: push(project, "bench", **more))
    told("pushed with pre-labels", push_seconds, f"{pushed.pushed:,} tasks")
    made = annotate(folder / "data", server, pushed.tool_project)
    export_seconds = exported(server.url, accounts[ADMIN], pushed.tool_project)
    report, pull_seconds = timed(lambda: pull(project, **more))
    told("pulled", pull_seconds, f"{report.states:,} annotations")
    assert report.states == made
    told("both, which is to be under 60 s", push_seconds + pull_seconds)
    told("the tool's own export, in one piece", export_seconds)
    edit_and_delete(catalog, server.url, accounts)
    report, seconds = timed(lambda: pull(project, **more))
    what = f"{report.states} states, {report.deleted_annotations} of them deletions"
    told("pulled what changed, to be under 3 s", seconds, what)
    assert (report.states, report.deleted_annotations) == (EDITS + DELETIONS, DELETIONS)
    delete_tasks(tool, pushed.tool_project, image_ids, catalog)
    report, seconds = timed(lambda: pull(project, **more))
    what = f"{report.deleted_tasks} tasks with {report.deleted_annotations} annotations"
    told("reconciled deleted tasks, under 15 s", seconds, what)
    assert report.deleted_tasks == TASKS
    _, seconds = timed(lambda: pull(project, **more))
    told("pulled when nothing had changed", seconds)
    rows = current_annotations(catalog)
    print(
        f"in the end {len(rows):,} annotations are known, {rows['deleted'].to_pylist().count(True)}"
        " of them as deleted"
    )


def lake(folder: Path, url: str, size: int) -> tuple[Project, ObjectStore, Catalog, list[str]]:
    """A lake of images without pixels, with pre-labels, set aside as one batch."""
    file = folder / "projects" / "bench" / "project.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(PROJECT.format(url=url))
    store = open_store(str(folder / "home" / "store"))
    catalog = Catalog(store, "bench")
    image_ids = sorted(hashlib.sha256(str(i).encode()).hexdigest() for i in range(size))
    now = datetime.now(UTC)
    known = {
        "source": "s", "format": "JPEG", "width": WIDTH, "height": HEIGHT, "bands": 3,
        "dtype": "uint8", "bytes": 1, "batch": "b", "ingested_at": now,
    }  # fmt: skip
    rows = [{"image_id": i, "path": f"{n}.jpg", **known} for n, i in enumerate(image_ids)]
    catalog.table("images").merge(pa.Table.from_pylist(rows, schema=IMAGES), on=["image_id"])
    catalog.table("prelabels").merge(prelabels(image_ids, now), on=["image_id", "model", "object"])
    set_aside(
        catalog, pa.array(image_ids), name="bench", purpose="label", reason="", query="", actor="b"
    )
    return load_project(file), store, catalog, image_ids


def prelabels(image_ids: list[str], now: datetime) -> pa.Table:
    """Boxes anywhere."""
    chance = np.random.default_rng(0)
    count = BOXES * len(image_ids)
    x, y = chance.uniform(0, WIDTH - 80, count), chance.uniform(0, HEIGHT - 80, count)
    columns = {
        "image_id": np.repeat(image_ids, BOXES),
        "model": ["m" * 64] * count,
        "object": np.tile(np.arange(BOXES), len(image_ids)),
        "label": chance.choice(["apple", "pear", "plum"], count),
        "kind": ["bbox"] * count,
        "x_min": x, "y_min": y, "x_max": x + 60, "y_max": y + 70,
        "geometry": pa.nulls(count, pa.string()),
        "score": chance.uniform(0.3, 1, count),
        "uncertainty": np.repeat(chance.uniform(0, 1, len(image_ids)), BOXES),
        "made_at": [now] * count,
    }  # fmt: skip
    return pa.table({n: columns[n] for n in PRELABELS.names}).cast(PRELABELS)


def annotate(data: Path, server: LocalServer, number: int) -> int:
    """Have everybody label everything, with the server stopped; returns how many."""
    server.stop()
    done = subprocess.run(
        [str(INSTALLED / "bin" / "python"), "benchmarks/worlds/annotators.py", str(number)],
        env={**os.environ, "LABEL_STUDIO_BASE_DATA_DIR": str(data), "COLLECT_ANALYTICS": "false"},
        check=True,
        capture_output=True,
        text=True,
    )
    server.start()
    return int(done.stdout.splitlines()[-1])


def exported(url: str, admin: Account, number: int) -> float:
    """Seconds that the tool takes to export everything as JSON."""
    told = httpx.post(f"{url}/api/token/refresh", json={"refresh": admin.token}).json()
    began = time.perf_counter()
    httpx.get(
        f"{url}/api/projects/{number}/export",
        params={"exportType": "JSON"},
        headers={"Authorization": f"Bearer {told['access']}"},
        timeout=600,
    ).raise_for_status()
    return time.perf_counter() - began


def edit_and_delete(catalog: Catalog, url: str, accounts: dict[str, Account]) -> None:
    """Some annotations are edited and others deleted, by who made them."""
    rows = current_annotations(catalog).to_pylist()
    by_id = {account.id: account for account in accounts.values()}
    opened = {i: Connection(url, account.token) for i, account in by_id.items()}
    for row in rows[:: len(rows) // EDITS][:EDITS]:
        path = f"/api/annotations/{row['annotation']}/"
        opened[row["completed_by"]].send("PATCH", path, {"lead_time": 20.0, "result": []})
    for row in rows[7 :: len(rows) // DELETIONS][:DELETIONS]:
        path = f"/api/annotations/{row['annotation']}/"
        opened[row["completed_by"]].send("DELETE", path, None)
    for connection in opened.values():
        connection.close()


def delete_tasks(tool: Tool, number: int, image_ids: list[str], catalog: Catalog) -> None:
    """Some tasks are deleted, as the admin does on the tool's page."""
    rows = catalog.table("labeling_tasks").read(columns=["image_id", "task"]).to_pylist()
    wanted = set(image_ids[:: len(image_ids) // TASKS][:TASKS])
    chosen = [row["task"] for row in rows if row["image_id"] in wanted]
    tool.connection.send(
        "POST",
        "/api/dm/actions",
        {"selectedItems": {"all": False, "included": chosen}, "project": str(number)},
        {"id": "delete_tasks", "project": number},
    )


def timed(do: Callable[[], Any]) -> tuple[Any, float]:
    """What something returns, and how long it takes."""
    began = time.perf_counter()
    result = do()
    return result, time.perf_counter() - began


def told(what: str, seconds: float, more: str = "") -> None:
    """Print one figure."""
    print(f"{what:<42}{seconds:8.2f} s  {more}", flush=True)


if __name__ == "__main__":
    main()
