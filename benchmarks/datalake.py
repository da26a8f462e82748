"""The datalake from twenty thousand to two million images, beside plain pandas over Parquet.

python benchmarks/datalake.py [IMAGES …] [--versions V] [--models M] [--keep FOLDER]

Each size has three boxes and three metadata events an image, V dataset versions (the newest holds
half of the images) and M models with a result for every test image. Every line is timed in a
process of its own, whose peak memory is printed beside it. A dataset version of half the images is
then really built: split, checks, manifest, digest.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # as a script, only benchmarks/ is on the path
SIZES = (20_000, 200_000, 2_000_000)
LITERAL: dict[str, Any] = {
    "tags_count": 0,
    "metadata": {"scene": "outdoor"},
    "date_range": "2025-Q4",
}
QUARTER = ("2025-10-01", "2026-01-01")

Figures = dict[str, float]


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that a call takes, and what it returns."""
    began = time.perf_counter()
    made = function()
    return time.perf_counter() - began, made


def make(home: Path, images: int, versions: int, models: int) -> Figures:
    """Generate the lake and its history."""
    from dagster import DagsterInstance

    from benchmarks.worlds.history import make_history
    from benchmarks.worlds.large_lake import make_lake
    from cv_pipeline.instance import initialise

    initialise(log=print)
    catalog = make_lake(home, images=images)
    with DagsterInstance.get() as instance:
        make_history(catalog, instance, home=home, versions=versions, models=models)
    return {}


def snapshot(_home: Path) -> Figures:
    """The first query after new data, which lays the lake out."""
    from cv_pipeline import Datalake

    lake = Datalake.open(project="large")
    return {"first query on new data": timed(lambda: lake.query(**LITERAL))[0]}


def queries(_home: Path) -> Figures:
    """The literal query, look-ups, and queries of other kinds, in a cold process."""
    from cv_pipeline import Datalake

    lake = Datalake.open(project="large")
    first, _ = timed(lambda: lake.query(**LITERAL))
    second, found = timed(lambda: lake.query(**LITERAL))
    ids = random.Random(0).sample(found.image_ids.to_pylist(), min(200, found.count))

    def look_up(image_id: str) -> object:
        image = lake.image(image_id)
        return image.metadata, image.tags, image.annotations

    seconds = [timed(lambda i=i: look_up(i))[0] for i in ids]
    tagged = {"tags_any": ["promo"], "when": "precision >= 0.91"}
    boxes = "annotations(label = 'rare' and box_width < 20) >= 1 and not tag = 'promo'"
    contested = "disagreement > 0 order by brightness desc limit 100"
    sample = "metadata.scene != 'yard' sample 1000 by metadata.camera seed 7"
    return {
        "literal query, first call": first,
        "literal query, second call": second,
        "images found": found.count,
        "point look-up with labels, median": statistics.median(seconds),
        "tag when precision >= 0.91, cold": timed(lambda: lake.query(**tagged))[0],
        "tag when precision >= 0.91, again": timed(lambda: lake.query(**tagged))[0],
        "query over boxes": timed(lambda: lake.query(boxes))[0],
        "query with order and limit": timed(lambda: lake.query(contested))[0],
        "stratified sample": timed(lambda: lake.query(sample))[0],
    }


def lineage(home: Path) -> Figures:
    """Image to everything that used it, and metric to its worst images, in a cold process."""
    import cv_pipeline
    from benchmarks.worlds.large_lake import PROJECT

    store = home / "store" / "projects" / PROJECT
    import pyarrow.parquet as pq

    smallest = min(
        (store / "datasets").glob("*/manifest.parquet"), key=lambda path: path.stat().st_size
    )
    image = pq.read_table(smallest, columns=["image_id"])["image_id"][0].as_py()
    cv_pipeline.trace("dataset", f"{PROJECT}@latest")  # imports are not what is measured
    first, found = timed(lambda: cv_pipeline.trace("image", image))
    metric = f"{PROJECT}/AP50@latest"
    cold, worst = timed(lambda: cv_pipeline.worst_images(metric, n=100))
    return {
        "image to versions, models, metrics": first,
        "dataset versions that hold it": len(found.down),
        "models that used it": sum(len(v.down) for v in found.down),
        "metric to its 100 worst images": cold,
        "their labels": sum(len(i.labels) for i in worst.images),
    }


def build(home: Path) -> Figures:
    """A dataset version of half the images: split, checks, manifest, digest."""
    return _build(home, "one", "limit {half}")


def build_another(home: Path) -> Figures:
    """Another one: one image in ten is exchanged for another, and the rest keep their splits."""
    figures = _build(home, "two", "brightness < 0.9 limit {half}")
    return {"another such version": figures["dataset version of half the images"]}


def _build(home: Path, name: str, where: str) -> Figures:
    """What the assets do for a dataset version, timed part by part."""
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.datasets.candidate import build_candidate
    from cv_pipeline.datasets.checks import CHECKS, load_context, run_check
    from cv_pipeline.datasets.splitting.assignments import record_assignments
    from cv_pipeline.datasets.verdict import Verdict
    from cv_pipeline.datasets.version import make_version
    from cv_pipeline.project import Project, find_project
    from cv_pipeline.storage import open_store

    catalog = Catalog(open_store(str(home / "store")), "large")
    half = len(catalog.table("images").read(columns=["image_id"])) // 2
    query = {"labelled": None, "where": where.format(half=half)}
    settings = find_project("large", home / "projects").model_dump()
    settings["dataset"]["query"] = query
    project = Project.model_validate(settings)
    candidate, target = home / name / "candidate", home / name / "version"
    for folder in (candidate, target):
        folder.mkdir(parents=True)
    figures: Figures = {}

    def make_candidate() -> None:
        seconds, made = timed(
            lambda: build_candidate(project=project, catalog=catalog, folder=candidate)
        )
        figures["  select, labels, split, manifest, digest"] = seconds
        figures["  images"], figures["  labels"] = made.images, made.objects

    def check_it() -> list[Verdict]:
        seconds, context = timed(
            lambda: load_context(project=project, catalog=catalog, folder=candidate)
        )
        figures["  read for the checks"] = seconds
        verdicts = []
        for check in CHECKS:
            seconds, (verdict, _) = timed(lambda check=check: run_check(check, context))
            figures[f"  check {check}"] = seconds
            verdicts.append(verdict)
        return verdicts

    def publish(verdicts: list[Verdict]) -> None:
        version = make_version(
            candidate=candidate, verdicts=verdicts, code_version="1", folder=target
        )
        record_assignments(
            catalog,
            version.manifest,
            project.dataset.split,
            dataset=version.digest,
            read=version.record.table_versions["split_assignments"],
        )

    def whole() -> None:
        make_candidate()
        # generated data fail some checks by design; their cost is the same
        passed = [Verdict(v.check, True, v.severity, v.summary) for v in check_it()]
        figures["  version"] = timed(lambda: publish(passed))[0]

    figures["dataset version of half the images"] = timed(whole)[0]
    return figures


def differences(home: Path) -> Figures:
    """The difference of the two versions."""
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.datasets.differences.difference import counts, difference
    from cv_pipeline.datasets.version import load_version
    from cv_pipeline.storage import open_store

    catalog = Catalog(open_store(str(home / "store")), "large")
    before, after = (load_version(home / name / "version") for name in ("one", "two"))
    seconds, found = timed(lambda: difference(before, after, catalog=catalog))
    changes = {f"images {k}": float(v) for k, v in counts(found.images).items()}
    return {"difference of two versions, with reasons": seconds, **changes}


def pandas_query(home: Path) -> Figures:
    """The literal query in pandas, from the same rows in Parquet."""
    import pandas as pd

    tables = _parquet(home)

    def ask() -> int:
        shown = pd.read_parquet(tables / "images.parquet", columns=["image_id", "captured_at"])
        start, end = (pd.Timestamp(day, tz="UTC") for day in QUARTER)
        shown = shown[(shown.captured_at >= start) & (shown.captured_at < end)]
        values = pd.read_parquet(
            tables / "image_metadata.parquet", columns=["image_id", "key", "value", "at"]
        )
        values = values[values.key == "scene"].sort_values("at")
        scene = values.drop_duplicates("image_id", keep="last")
        outdoor = scene.image_id[scene.value == "outdoor"]
        tags = pd.read_parquet(tables / "image_tags.parquet").sort_values("at")
        tags = tags.drop_duplicates(["image_id", "tag"], keep="last")
        labels = pd.read_parquet(tables / "annotations.parquet", columns=["image_id"])
        touched = pd.concat([tags.image_id[tags.present], labels.image_id]).unique()
        chosen = shown[shown.image_id.isin(outdoor) & ~shown.image_id.isin(touched)]
        return len(chosen)

    first, _ = timed(ask)
    second, found = timed(ask)
    return {
        "pandas: literal query, first call": first,
        "pandas: literal query, second call": second,
        "pandas: images found": found,
    }


def pandas_difference(home: Path) -> Figures:
    """The difference of the two versions in pandas, without reasons."""
    import pandas as pd

    def compare() -> int:
        total = 0
        for name, key in (("manifest", "image_id"), ("annotations", "annotation_id")):
            before, after = (
                pd.read_parquet(home / side / "version" / f"{name}.parquet")
                for side in ("one", "two")
            )
            both = before.merge(after, on=key, how="outer", indicator=True, suffixes=("", "_new"))
            compared = ["split"] if name == "manifest" else ["label", "x_min", "attributes"]
            changed = both["_merge"] != "both"
            for column in compared:
                changed |= (both["_merge"] == "both") & (both[column] != both[f"{column}_new"])
            total += int(changed.sum())
        return total

    return {"pandas: difference of two versions": timed(compare)[0]}


def _parquet(home: Path) -> Path:
    """The tables as Parquet, written once."""
    import pyarrow.parquet as pq

    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.storage import open_store

    folder = home / "parquet"
    if not folder.is_dir():
        folder.mkdir()
        catalog = Catalog(open_store(str(home / "store")), "large")
        for name in ("images", "image_metadata", "image_tags", "annotations"):
            pq.write_table(catalog.table(name).read(), folder / f"{name}.parquet")
    return folder


STAGES: tuple[Callable[[Path], Figures], ...] = (
    snapshot,
    queries,
    pandas_query,
    lineage,
    build,
    build_another,
    differences,
    pandas_difference,
)


def run_stage(name: str, home: Path, arguments: list[int]) -> tuple[Figures, float]:
    """One stage in a process of its own: its figures, and its peak memory in GB."""
    environment = {
        **os.environ,
        "CV_HOME": str(home),
        "CV_STORE": str(home / "store"),
        "CV_PROJECTS": str(home / "projects"),
        "DAGSTER_HOME": str(home / "dagster"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, __file__, "--stage", name, str(home), *map(str, arguments)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["figures"], answer["gigabytes"]


def stage(name: str, home: Path, arguments: list[int]) -> None:
    """What a child process does: run a stage, and print what it measured as JSON."""
    import resource

    figures = globals()[name](home, *arguments)
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"figures": figures, "gigabytes": gigabytes}))


def main() -> None:
    """Generate each size, time every stage, and print the curve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--versions", type=int, default=50)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="folder for the lakes; a temporary one")
    asked = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    libraries = ("duckdb", "pylance", "pyarrow", "pandas", "dagster")
    print(", ".join(f"{name} {version(name)}" for name in libraries))
    print(
        "three boxes and metadata events an image,"
        f" {asked.versions} dataset versions, {asked.models} models"
    )
    curve: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for images in asked.images:
            home = (asked.keep or Path(temporary)) / str(images)
            if not home.is_dir():
                home.mkdir(parents=True)
                run_stage("make", home, [images, asked.versions, asked.models])
            for one in STAGES:
                figures, gigabytes = run_stage(one.__name__, home, [])
                for name, value in figures.items():
                    shown = f"{value:,.0f}" if float(value).is_integer() else f"{value:.3f}"
                    curve.setdefault(name, []).append(shown)
                curve.setdefault(f"  peak memory of {one.__name__}, GB", []).append(
                    f"{gigabytes:.2f}"
                )
    print("".join(f"{t:>14}" for t in (*(f"{n:,}" for n in asked.images), "")) + "images; seconds")
    for name, values in curve.items():
        print("".join(f"{v:>14}" for v in values) + f"  {name}")


if __name__ == "__main__":
    if "--stage" in sys.argv:
        stage(sys.argv[2], Path(sys.argv[3]), [int(a) for a in sys.argv[4:]])
    else:
        main()
