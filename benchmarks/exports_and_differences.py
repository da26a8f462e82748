"""Exports and differences of dataset versions, beside pandas on the same files, and DVC.

python benchmarks/exports_and_differences.py [--export IMAGES] [--difference IMAGES …] [--files N]

Three boxes an image. The export is COCO without the images: what is timed is reading the version
and writing the JSON; the plain one writes COCO's own keys alone, ours also annotator, attributes
and ids. Of two versions one hundredth of the images came, went or moved, and one hundredth of the
boxes changed; ours gives each its reason, looked up in a catalogue with three metadata events an
image. Every line is timed in a process of its own, whose peak memory is printed beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
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
SIZES = (20_000, 200_000, 1_000_000)
BOX = ["x_min", "y_min", "x_max", "y_max"]
COMPARED = [
    *("label", "kind", *BOX, "attributes", "annotator", "ontology_version", "guideline_version")
]


def make(folder: Path, images: int) -> dict[str, Any]:
    """Generate two versions."""
    from benchmarks.worlds.two_versions import write_two_versions

    write_two_versions(folder, images)
    return {}


def export(folder: Path, _images: int) -> dict[str, Any]:
    """COCO by this project."""
    from cv_pipeline.datasets.exporting.exports import export_version
    from cv_pipeline.datasets.version import load_version

    made = export_version(load_version(folder / "before"), format="coco", to=folder / "coco")
    size = sum(file.bytes for file in made.record.files.values())
    return {"boxes": made.labels, "megabytes": size / 1e6}


def plain_export(folder: Path, _images: int) -> dict[str, Any]:
    """COCO by pandas and json."""
    import pandas as pd

    manifest = pd.read_parquet(folder / "before" / "manifest.parquet")
    labels = pd.read_parquet(folder / "before" / "annotations.parquet")
    manifest["id"] = range(1, len(manifest) + 1)
    labels["id"] = range(1, len(labels) + 1)
    classes = sorted(labels["label"].unique())
    labels["category_id"] = labels["label"].map({x: n for n, x in enumerate(classes, start=1)})
    labels = labels.merge(
        manifest[["image_id", "id", "split"]].rename(columns={"id": "image"}), on="image_id"
    )
    labels["w"], labels["h"] = labels.x_max - labels.x_min, labels.y_max - labels.y_min
    labels["bbox"] = labels[["x_min", "y_min", "w", "h"]].to_numpy().tolist()
    labels["area"] = labels.w * labels.h
    labels["iscrowd"] = 0
    size = 0
    (folder / "plain").mkdir()
    for split, part in manifest.groupby("split"):
        of_split = labels[labels["split"] == split].drop(columns="image_id")
        columns = ["id", "image_id", "category_id", "bbox", "area", "iscrowd"]
        document = {
            "images": part.rename(columns={"path": "file_name"})[
                ["id", "file_name", "width", "height"]
            ].to_dict("records"),
            "categories": [{"id": n, "name": x} for n, x in enumerate(classes, start=1)],
            "annotations": of_split.rename(columns={"image": "image_id"})[columns].to_dict(
                "records"
            ),
        }
        path = folder / "plain" / f"instances_{split}.json"
        path.write_text(json.dumps(document))
        size += path.stat().st_size
    return {"boxes": len(labels), "megabytes": size / 1e6}


def difference(folder: Path, _images: int) -> dict[str, Any]:
    """The difference by this project, reasons included."""
    from benchmarks.worlds.two_versions import catalog_of
    from cv_pipeline.datasets.differences.difference import difference as compare
    from cv_pipeline.datasets.version import load_version

    before, after = (load_version(folder / name) for name in ("before", "after"))
    found = compare(before, after, catalog=catalog_of(folder))
    return {"images": len(found.images), "labels": len(found.labels)}


def plain_difference(folder: Path, _images: int) -> dict[str, Any]:
    """The difference by pandas: two outer merges."""
    import pandas as pd

    def read(version: str, file: str, columns: list[str]) -> pd.DataFrame:
        return pd.read_parquet(folder / version / f"{file}.parquet", columns=columns)

    outer = {"how": "outer", "indicator": True, "suffixes": ("_before", "_after")}
    columns = ["image_id", "split"]
    manifests = [read(v, "manifest", columns) for v in ("before", "after")]
    both = manifests[0].merge(manifests[1], on="image_id", **outer)
    changed = both[(both["_merge"] != "both") | (both["split_before"] != both["split_after"])]
    columns = ["annotation_id", "image_id", *COMPARED]
    labels = [read(v, "annotations", columns) for v in ("before", "after")]
    pairs = labels[0].merge(labels[1], on=["annotation_id", "image_id"], **outer)
    differs = pairs["_merge"] != "both"
    for name in COMPARED:
        differs |= pairs[f"{name}_before"] != pairs[f"{name}_after"]
    return {"images": len(changed), "labels": int(differs.sum())}


def small_files(folder: Path, images: int) -> dict[str, Any]:
    """Small files, 6 kB of noise each."""
    import numpy as np

    random = np.random.default_rng(0)
    (folder / "data").mkdir()
    for number in range(images):
        (folder / "data" / f"{number:06d}.jpg").write_bytes(random.bytes(6_250))
    return {}


def keep(folder: Path, _images: int) -> dict[str, Any]:
    """Every file hashed and kept in a store, and a manifest with its digest."""
    from concurrent.futures import ThreadPoolExecutor

    import pyarrow as pa

    from cv_pipeline.catalog.digest import table_digest
    from cv_pipeline.datasets.record import write_table
    from cv_pipeline.storage import Blobs, open_store

    blobs = Blobs(open_store(str(folder / "store")))
    files = sorted((folder / "data").iterdir())
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda path: blobs.put(path.read_bytes()), files))
    manifest = pa.table({"image_id": ids, "path": [path.name for path in files]})
    write_table(manifest.sort_by("image_id"), folder / "manifest.parquet")
    table_digest(manifest, schema_id="files/1", sort_by=["image_id"])
    return {"images": len(ids)}


STEPS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    f.__name__: f
    for f in (
        make,
        export,
        plain_export,
        difference,
        plain_difference,
        small_files,
        keep,
    )
}


def run(step: str, folder: Path, images: int) -> dict[str, Any]:
    """One step in a process of its own: seconds, peak memory and what it counted."""
    command = [sys.executable, __file__, "--step", step, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--images", str(images)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def child(step: str, folder: Path, images: int) -> None:
    """Run a step here, and print its figures as JSON."""
    # imports are not what is compared
    import pandas  # noqa: F401

    import cv_pipeline.datasets.differences.difference
    import cv_pipeline.datasets.exporting.exports  # noqa: F401

    began = time.perf_counter()
    counted = STEPS[step](folder, images)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "gigabytes": peak / 1e9, **counted}))


def line(who: str, found: dict[str, Any]) -> None:
    """Print the figures of a step."""
    counted = {k: v for k, v in found.items() if k not in ("seconds", "gigabytes")}
    told = ", ".join(f"{v:,.0f} {k}" for k, v in counted.items())
    print(f"  {who:<24}{found['seconds']:7.2f} s {found['gigabytes']:6.2f} GB   {told}", flush=True)


def dvc(folder: Path) -> str | None:
    """Path of DVC's command in an environment made for this run; None where it cannot be."""
    uv = Path(sys.executable).with_name("uv")
    python = folder / "dvc" / "bin" / "python"
    try:
        subprocess.run(
            [uv, "venv", "-q", "--python", sys.executable, folder / "dvc"],
            check=True,
            capture_output=True,
        )
        subprocess.run(
            [uv, "pip", "install", "-q", "--python", python, "dvc"],
            check=True,
            capture_output=True,
            timeout=300,
        )
    except (OSError, subprocess.SubprocessError) as error:
        print(f"  DVC is left out: it cannot be installed ({str(error)[:120]})")
        return None
    return str(python.with_name("dvc"))


def compare_with_dvc(folder: Path, files: int) -> None:
    """Keeping small files: DVC's add, and this project's store with a manifest."""
    print(f"\nkeeping {files:,} files of 6 kB: hashed, copied to a store, listed with a digest")
    run("small_files", folder, files)
    line("cv_pipeline", run("keep", folder, files))
    command = dvc(folder)
    if command is None:
        return
    work = folder / "work"
    work.mkdir()
    shutil.copytree(folder / "data", work / "data")
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}

    def call(*arguments: str) -> float:
        began = time.perf_counter()
        subprocess.run(
            [command, *arguments], cwd=work, check=True, capture_output=True, env=environment
        )
        return time.perf_counter() - began

    number = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    call("init", "--no-scm")
    print(f"  {'DVC ' + number.stdout.strip() + ' add':<24}{call('add', 'data'):7.2f} s")


def main() -> None:
    """Time every line once, and print what was compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--export", type=int, default=20_000)
    parser.add_argument("--difference", type=int, nargs="*", default=SIZES)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--images", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        child(arguments.step, arguments.folder, arguments.images)
        return
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores;", end=""
    )
    for name in ("duckdb", "pyarrow", "pandas"):
        print(f" {name} {version(name)}", end="")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"\n\nCOCO of {arguments.export:,} images, without the images")
        run("make", folder / "export", arguments.export)
        for who, step in (("cv_pipeline", "export"), ("pandas and json", "plain_export")):
            line(who, run(step, folder / "export", arguments.export))
        for images in arguments.difference:
            print(f"\ndifference of two versions of {images:,} images, {images * 3:,} boxes")
            run("make", folder / str(images), images)
            steps = (("cv_pipeline", "difference"), ("pandas merges", "plain_difference"))
            for who, step in steps:
                line(who, run(step, folder / str(images), images))
            shutil.rmtree(folder / str(images))
        if arguments.files:
            (folder / "files").mkdir()
            compare_with_dvc(folder / "files", arguments.files)


if __name__ == "__main__":
    main()
