"""What a pull of very much costs on our side: its memory, and the requests of very many batches.

python benchmarks/large_pull.py [--tasks N] [--batches N]

The tool is made up, and answers at once: each of its tasks has five annotations of three boxes.
First every task of one batch is pulled, and again when nothing changed; memory is that of this
process. Then there is a lake of many batches that are done and five that are not, and a pull finds
nothing new: what counts there is how often the tool is asked, for each question to Label Studio
takes 13 ms or more (a list of a hundred projects with their counts about 60).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # as a script, only benchmarks/ is on the path

PEOPLE, BOXES, OPEN = 5, 3, 5
START = datetime(2026, 11, 2, tzinfo=UTC)
HOST = "http://127.0.0.1:8000"
REGION = {
    "id": "r", "type": "rectanglelabels", "from_name": "label", "to_name": "image",
    "original_width": 640, "original_height": 480, "image_rotation": 0,
    "value": {
        "x": 1.2345678, "y": 2.345678, "width": 10.1, "height": 9.9, "rotation": 0,
        "rectanglelabels": ["red"],
    },
}  # fmt: skip


class MadeUp:
    """A tool in which everybody labelled everything.

    Args:
        images: images of each batch.
        batches: batches, each in a project of its own, from 1 on.
    """

    url = "http://127.0.0.1:9"

    def __init__(self, images: Sequence[str], *, batches: int = 1) -> None:
        self._images = images
        self._batches = batches
        self.asked = 0

    def version(self) -> str:
        """Its version."""
        self.asked += 1
        return "1.23.2"

    def members(self) -> dict[int, str]:
        """Everybody's account."""
        self.asked += 1
        return dict.fromkeys(range(1, PEOPLE + 1), "")

    def counts(self) -> dict[int, Any]:
        """What each batch has."""
        from cv_pipeline.labeling.tool.label_studio import Counts

        self.asked += -(-self._batches // 100)
        here = len(self._images)
        return {n: Counts(here, here * PEOPLE) for n in range(1, self._batches + 1)}

    def clock(self) -> None:
        """It has none."""

    def stubs(self, number: int, *, since: datetime | None = None) -> Iterator[Any]:
        """Tasks that changed."""
        from cv_pipeline.labeling.tool.label_studio import Stub

        self.asked += 1
        first = number * len(self._images)
        for place in range(len(self._images)):
            at = START + timedelta(seconds=place)
            if since is None or at > since:
                yield Stub(first + place, at)

    def tasks(self, number: int, ids: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
        """Tasks, whole."""
        for first in range(0, len(ids), 400):
            self.asked += 1
            page = [self._task(number, task) for task in ids[first : first + 400]]
            yield json.loads(json.dumps(page))

    def _task(self, number: int, task: int) -> dict[str, Any]:
        image = self._images[task - number * len(self._images)]
        times = dict.fromkeys(("created_at", "updated_at"), START.isoformat())
        made = {"lead_time": 3.5, "was_cancelled": False, "result": [REGION] * BOXES, **times}
        return {
            "id": task, **times, "data": {"image": address(image), "image_id": image},
            "annotations": [
                {"id": task * PEOPLE + who, "completed_by": who, "updated_by": who, **made}
                for who in range(1, PEOPLE + 1)
            ],
        }  # fmt: skip


def address(image: str) -> str:
    """The address that a task was pushed with."""
    return f"{HOST}/labeling/images/p/b/{image}/s"


def main() -> None:
    """Measure both, and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--batches", type=int, default=200)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}", end=", ")
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
    for measure, size in ((much, options.tasks), (many, options.batches)):
        with tempfile.TemporaryDirectory() as name:
            os.environ |= {"CV_HOME": f"{name}/home", "CV_PROJECTS": f"{name}/projects"}
            measure(Path(name), size)


def much(folder: Path, size: int) -> None:
    """One batch of very many tasks."""
    from tests.labeling.label_tables import image_ids

    images = image_ids(size)
    more = lake(folder, images, batches=1)
    tool = MadeUp(images)
    for what in ("pulled", "pulled when nothing had changed"):
        with peak() as memory:
            began = time.perf_counter()
            report = pulled(tool, more)
            seconds = time.perf_counter() - began
        print(
            f"{what}: {report.states:,} annotations of {size:,} tasks in {seconds:.1f} s,", end=""
        )
        print(f" {memory[0] / 1e6:.0f} MB before and {memory[1] / 1e6:.0f} MB at most")


def many(folder: Path, size: int) -> None:
    """Very many batches that are done, and a few that are not."""
    from cv_pipeline.labeling.batches.declared import change_state
    from cv_pipeline.labeling.exchange import pull
    from tests.labeling.label_tables import image_ids

    pull.SWEEP_SECONDS = 3600.0
    images = image_ids(4)
    more = lake(folder, images, batches=size)
    tool = MadeUp(images, batches=size)
    pulled(tool, more)  # they are done by that
    for number in range(1, OPEN + 1):
        change_state(more["catalog"], f"b{number}", "in_progress")
    tool.asked, began = 0, time.perf_counter()
    report = pulled(tool, more)
    seconds = time.perf_counter() - began
    print(f"pulled when nothing had changed: {size:,} batches, {report.at_rest:,} at rest,", end="")
    print(f" {tool.asked:,} requests, {seconds:.1f} s on our side")


def lake(folder: Path, images: Sequence[str], *, batches: int) -> dict[str, Any]:
    """Batches that are pushed, with all that a pull of them needs."""
    from cv_pipeline.catalog.schemas import IMAGE_BATCHES, LABELING_TASKS
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.project import load_project
    from cv_pipeline.storage import open_store
    from tests.labeling.label_tables import table_of
    from tests.labeling.pushed_lake import PROJECT

    file = folder / "projects" / "large" / "project.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(PROJECT.format(name="large", url=MadeUp.url))
    store = open_store(str(folder / "home" / "store"))
    catalog = Catalog(store, "large")
    count = len(images) * batches
    number = np.repeat(np.arange(1, batches + 1), len(images))
    common = {"image_id": list(images) * batches, "state": "pushed"}
    names = [f"b{n}" for n in number]
    aside = {"name": names, "purpose": "label", "at": START, **common, "state": "open"}
    catalog.table("image_batches").append(table_of(IMAGE_BATCHES, count, **aside))
    tasks = {
        "batch": names, "tool_project": number, "task": np.arange(count) + len(images),
        "pushed_at": START, "address": [address(i) for i in images] * batches, **common,
    }  # fmt: skip
    table = catalog.table("labeling_tasks")
    table.merge(table_of(LABELING_TASKS, count, **tasks), on=table.key)
    return {"project": load_project(file), "catalog": catalog, "store": store}


def pulled(tool: Any, more: dict[str, Any], **how: Any) -> Any:
    """A pull."""
    from cv_pipeline.labeling.exchange.pull import pull

    project, rest = more["project"], {k: v for k, v in more.items() if k != "project"}
    return pull(project, tool=tool, **rest, **how)


@contextmanager
def peak() -> Iterator[list[int]]:
    """Memory of this process before a block, and the most within it."""
    process = psutil.Process()
    pa.default_memory_pool().release_unused()
    found = [process.memory_info().rss] * 2
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            found[1] = max(found[1], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()


if __name__ == "__main__":
    main()
