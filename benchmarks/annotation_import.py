"""What an import of pulled annotations costs: all of them the first time, then one that changed.

Five annotators draw five boxes each on every image, in batches of 2,000 images; the history is
written as a pull writes it, without a tool. Printed are seconds of CPU and the memory that the
process has grown by at most.

    python benchmarks/annotation_import.py [ANNOTATIONS]
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from cv_pipeline.annotations.export import import_annotations
from cv_pipeline.catalog.schemas import FILES, IMAGES, LABELING_TASKS, TOOL_ANNOTATIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange.pulled_export import pulled_exports
from cv_pipeline.project import Project
from cv_pipeline.storage import ObjectStore, open_store

PEOPLE, BOXES, OF_BATCH = 5, 5, 2_000
START = datetime(2026, 11, 2, 8, tzinfo=UTC)
PROJECT = Project.model_validate(
    {
        "name": "pears",
        "task": "detection",
        "charter": {"problem": "Find pears."},
        "source": {"images": "unused"},
        "labeling": {"url": "http://localhost:1"},
        "ontology": {"labels": ["pear", "apple"]},
        "training": {"model": "fcos_resnet18", "input_size": [96, 96]},
    }
)


def result(number: int, *, shift: float = 0.0) -> str:
    """Five boxes, as Label Studio has them."""
    regions = [
        {
            "id": f"r{k}", "type": "rectanglelabels", "from_name": "label", "to_name": "image",
            "original_width": 640, "original_height": 480, "image_rotation": 0,
            "value": {
                "x": 3.0 + 17 * k + shift + number % 7 / 10, "y": 10.5, "width": 12.25,
                "height": 20.125, "rotation": 0, "rectanglelabels": [("pear", "apple")[k % 2]],
            },
        }
        for k in range(BOXES)
    ]  # fmt: skip
    return json.dumps(regions, sort_keys=True, separators=(",", ":"))


def filled(schema: pa.Schema, rows: int, **columns: object) -> pa.Table:
    """Rows of a schema; what is not said is null, or the empty value of its type."""
    arrays = []
    for field in schema:
        value = columns.get(field.name)
        if value is None and not field.nullable:
            value = {pa.string(): "", pa.bool_(): False}.get(field.type, 0)
        if isinstance(value, list | np.ndarray):
            arrays.append(pa.array(value, field.type))
        else:
            arrays.append(pa.repeat(pa.scalar(value, field.type), rows))
    return pa.Table.from_arrays(arrays, schema=schema)


def history(
    numbers: np.ndarray, images: list[str], *, at: datetime, shift: float = 0.0
) -> pa.Table:
    """States of annotations, as a pull writes them."""
    on = numbers // PEOPLE
    return filled(
        TOOL_ANNOTATIONS,
        len(numbers),
        tool_project=on // OF_BATCH + 1,
        task=on + 1,
        annotation=numbers + 1,
        image_id=[images[n] for n in on.tolist()],
        batch=[f"batch-{n}" for n in (on // OF_BATCH).tolist()],
        annotator=[f"annotator-{n}" for n in (numbers % PEOPLE + 1).tolist()],
        completed_by=numbers % PEOPLE + 1,
        updated_by=numbers % PEOPLE + 1,
        updated_at=at,
        created_at=START,
        seen_at=at,
        lead_time=3.5,
        result=[result(n, shift=shift) for n in numbers.tolist()],
        digest=[f"{n:060x}{int(shift * 10):04x}" for n in numbers.tolist()],
    )


def lake(store: ObjectStore, annotations: int) -> tuple[Catalog, list[str]]:
    """A project with its images, tasks and history."""
    catalog = Catalog(store, PROJECT.name)
    count = annotations // PEOPLE
    images = [f"{n:064x}" for n in range(count)]
    paths = [f"{n}.jpg" for n in range(count)]
    known = {"path": paths, "image_id": images, "width": 640, "height": 480}
    catalog.table("images").merge(
        filled(IMAGES, count, ingested_at=START, **known), on=["image_id"]
    )
    catalog.table("files").merge(filled(FILES, count, **known), on=["path"])
    places = np.arange(count)
    tasks = filled(
        LABELING_TASKS,
        count,
        batch=[f"batch-{n}" for n in (places // OF_BATCH).tolist()],
        image_id=images,
        tool_project=places // OF_BATCH + 1,
        task=places + 1,
        ontology_version="1",
        guideline_version="1",
        pushed_at=START,
        state="pushed",
    )
    catalog.table("labeling_tasks").merge(tasks, on=["batch", "image_id"])
    for first in range(0, annotations, 50_000):
        numbers = np.arange(first, min(first + 50_000, annotations))
        catalog.table("tool_annotations").append(history(numbers, images, at=START))
    return catalog, images


class Watched:
    """CPU time of a block, and by how much the process grew at most in it."""

    def __enter__(self) -> Watched:
        """Begin."""
        self._stop = threading.Event()
        self._before, self._most = resident(), 0
        self._begun = time.process_time()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, and say what it was."""
        self.seconds = time.process_time() - self._begun
        self._stop.set()
        self._thread.join()
        self.megabytes = (max(self._most, resident()) - self._before) / 1e6

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self._most = max(self._most, resident())


def resident() -> int:
    """Bytes of memory that the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def main() -> None:
    """Import all, then after one edit, then once more."""
    annotations = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(
        f"{annotations:,} annotations of {BOXES} boxes; Python {platform.python_version()},"
        f" {platform.machine()}, {os.cpu_count()} CPUs"
    )
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        catalog, images = lake(store, annotations)

        def run(what: str) -> None:
            with Watched() as watched:
                report = import_annotations(
                    project=PROJECT, catalog=catalog, store=store, source=None,
                    pulled=pulled_exports(catalog, labeling=PROJECT.labeling),
                )  # fmt: skip
            print(
                f"{what:24} {watched.seconds:7.2f} s CPU {watched.megabytes:8.0f} MB more,"
                f" {report.rows:,} labels, {report.digest[:12]}",
                flush=True,
            )

        run("all, the first time")
        one = np.array([annotations // 2])
        later = START + timedelta(hours=1)
        catalog.table("tool_annotations").append(history(one, images, at=later, shift=1.0))
        run("one edit")
        run("nothing new")


if __name__ == "__main__":
    main()
