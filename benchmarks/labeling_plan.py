"""Planning work for a large workforce, and an estimate with two million images waiting.

python benchmarks/labeling_plan.py [--tasks N] [--annotators N] [--waiting N]

A lake is written column by column: batches of 500 tasks of three difficulties, a tenth of them
labelled by one annotator already with an overlap of two, four weeks of labels with lead times; and
for the estimate one batch after another of images that only wait. What is timed is the whole call
as `cvp assign`, the inspector and `cvp batches` make it, tables read from disk.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # as a script, only benchmarks/ is on the path

if TYPE_CHECKING:
    from cv_pipeline.catalog.tables import Catalog

BATCH = 500


def main() -> None:
    """Time the plan with once, twice and three times the people, then the estimate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--annotators", type=int, default=100)
    parser.add_argument("--waiting", type=int, default=2_000_000)
    given = parser.parse_args()
    names = ("numpy", "scipy", "pyarrow", "pylance", "duckdb")
    cores = len(os.sched_getaffinity(0))
    print(f"{platform.platform()}, Python {platform.python_version()}, {cores} cores")
    print(", ".join(f"{name} {version(name)}" for name in names))
    with tempfile.TemporaryDirectory() as folder:
        _plan(Path(folder) / "plan", given.tasks, given.annotators)
        _estimate(Path(folder) / "estimate", given.waiting, given.annotators)


def _plan(folder: Path, tasks: int, annotators: int) -> None:
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.labeling.settings.section import Labeling
    from cv_pipeline.labeling.workload.assignment import apply_plan, plan_work
    from cv_pipeline.storage import open_store

    catalog = Catalog(open_store(str(folder)), "plan")
    print(f"\n{tasks:,} tasks in batches of {BATCH}, overlap 2, {annotators} annotators")
    _write(catalog, tasks, annotators, pushed=True)
    print("people   labels   plan s   write s   hours of work: least, most   not given")
    for times in (1, 2, 3):
        people = {f"studio-{n}": {} for n in range(annotators * times)}
        labeling = Labeling.model_validate({"annotators": people})
        began = time.perf_counter()
        plan = plan_work(catalog, labeling, anew=True)
        planned = time.perf_counter() - began
        began = time.perf_counter()
        apply_plan(catalog, plan)
        written = time.perf_counter() - began
        hours = [load.hours for load in plan.loads]
        left = sum(one.labels for one in plan.unassigned)
        print(
            f"{len(hours):6,} {plan.labels:8,} {planned:8.2f} {written:9.2f}"
            f"   {min(hours):12.3f} {max(hours):9.3f} {left:16,}"
        )


def _estimate(folder: Path, waiting: int, annotators: int) -> None:
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.labeling.batches.declared import declared_batches, list_labeling_batches
    from cv_pipeline.labeling.settings.section import Labeling
    from cv_pipeline.labeling.workload.estimate import estimate
    from cv_pipeline.labeling.workload.workforce import workforce_of
    from cv_pipeline.storage import open_store

    catalog = Catalog(open_store(str(folder)), "estimate")
    _write(catalog, waiting, annotators, pushed=False)
    made = catalog.table("tool_annotations").read(columns=["task"]).num_rows
    print(f"\n{waiting:,} images waiting in batches of {BATCH}, {made:,} labels made")
    labeling = Labeling()
    for run in (1, 2, 3):
        began = time.perf_counter()
        batches = list_labeling_batches(catalog)
        listed = time.perf_counter() - began
        people = workforce_of(catalog, labeling, declared_batches(catalog))
        known = time.perf_counter() - began - listed
        found = estimate(batches, people, prices=labeling.prices)
        whole = time.perf_counter() - began
        print(
            f"run {run}: {whole:.2f} s (batches {listed:.2f}, annotators {known:.2f},"
            f" estimate {whole - listed - known:.2f})"
        )
    first = found.forecasts[0]
    print(
        f"{found.images:,} images, {found.labels:,} labels; {first.labels_per_week:,.0f} a week;"
        f" done {first.end:%Y-%m-%d} ({first.earliest:%Y-%m-%d} to {first.latest:%Y-%m-%d})"
    )


def _write(catalog: Catalog, images: int, annotators: int, *, pushed: bool) -> None:
    from cv_pipeline.catalog.schemas import LABELING_BATCHES
    from tests.labeling.label_tables import annotate, push, set_aside, table_of

    rng = np.random.default_rng(0)
    numbers = np.arange(images)
    ids = np.array([f"{n:064x}" for n in rng.permutation(images)])
    batch = np.array([f"batch-{n:05d}" for n in range(-(-images // BATCH))])
    began = datetime.now(UTC) - timedelta(days=29)
    set_aside(catalog, batch[numbers // BATCH], ids, at=began)
    difficulty = np.array(["easy", "medium", "hard"])[np.arange(len(batch)) % 3]
    rows = table_of(
        LABELING_BATCHES,
        len(batch),
        batch=pa.array(batch),
        state="open",
        task_type="detection",
        difficulty=pa.array(difficulty),
        queue="default",
        overlap=2,
        actor="benchmark",
        at=began,
    )
    catalog.table("labeling_batches").append(rows)
    if pushed:
        push(catalog, batch[numbers // BATCH], ids, at=began)
    labelled = numbers[: images // 10] if pushed else numbers[:56_000]
    who = [f"studio-{n}" for n in rng.integers(0, annotators, len(labelled))]
    day = rng.integers(0, 28, len(labelled))
    at = [began + timedelta(days=int(d), minutes=int(n % 480)) for n, d in enumerate(day)]
    annotate(
        catalog,
        batch[labelled // BATCH],
        ids[labelled],
        who,
        at=at,
        lead_time=rng.gamma(6, 5, len(labelled)),
    )


if __name__ == "__main__":
    main()
