"""Both sides over the same pictures and boxes: the inspector, and LightlyStudio as a process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.beside.watch import OURS, THEIRS

PROJECT = "large"
CLASSES = 5
START_SECONDS = 600.0

LIGHTLY = """
import pathlib, sys, time
import lightly_studio
from lightly_studio.database import db_manager

folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
db_manager.connect(db_file=str(folder / "lightly.db"))
if port:
    lightly_studio.ImageDataset.load(name="same")
    lightly_studio.start_gui(host="127.0.0.1", port=port, open_browser=False)
else:
    began = time.perf_counter()
    lightly_studio.ImageDataset.create(name="same").add_samples_from_coco(
        annotations_json=str(folder / "boxes.json"), images_path=str(folder / "pictures"),
        embed=False, embed_annotations=False,
    )
    print("seconds", time.perf_counter() - began)
"""


@dataclass(frozen=True)
class Same:
    """What both sides show.

    Attributes:
        folder: with pictures, and their boxes as COCO.
        boxes: how many there are.
        size: mean bytes of a picture.
        of: class to the images that it lies on, for the classes on most images.
    """

    folder: Path
    boxes: int
    size: float
    of: dict[str, list[str]]


@dataclass(frozen=True)
class Side:
    """One side, served.

    Attributes:
        grid: address of its grid.
        selectors: in JavaScript, what is what on its pages.
        facet: selector of a class's filter, with ``%s`` for the class.
        cell: selector of a picture's cell.
        opened_by: a click or a double one.
        headers: sent with every request.
    """

    grid: str
    selectors: str
    facet: str
    cell: str
    opened_by: str
    headers: dict[str, str]


def make(home: Path, images: int) -> None:
    """Write the world."""
    os.environ |= {"CV_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    os.environ["CV_PROJECTS"] = str(home / "projects")
    from dagster import DagsterInstance

    from benchmarks.worlds.inspected import make_inspected
    from cv_pipeline.instance import initialise

    initialise(log=print)
    with DagsterInstance.get() as instance:
        make_inspected(
            home, instance, images=images, versions=5, models=6, evaluated=2, width=640, height=480
        )


def written(home: Path, folder: Path) -> Same:
    """Write the lake for LightlyStudio: its pictures as files, its boxes as COCO."""
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.storage import open_store
    from cv_pipeline.storage.blobs import blob_key

    catalog = Catalog(open_store(str(home / "store")), PROJECT)
    images = catalog.table("images").read(columns=["image_id", "width", "height"]).to_pylist()
    columns = ["image_id", "label", "x_min", "y_min", "x_max", "y_max"]
    boxes = catalog.table("annotations").read(columns=columns).to_pylist()
    (folder / "pictures").mkdir(parents=True)
    size = 0
    for image in images:
        blob = home / "store" / blob_key(image["image_id"])
        size += blob.stat().st_size
        link(blob, folder / "pictures" / f"{image['image_id']}.jpg")
    numbers = {image["image_id"]: number for number, image in enumerate(images, 1)}
    labels = {label: n for n, label in enumerate(sorted({box["label"] for box in boxes}), 1)}
    coco = {
        "images": [
            {"id": numbers[i["image_id"]], "file_name": f"{i['image_id']}.jpg"}
            | {"width": i["width"], "height": i["height"]}
            for i in images
        ],
        "categories": [{"id": number, "name": label} for label, number in labels.items()],
        "annotations": [
            annotation(number, box, numbers[box["image_id"]], labels[box["label"]])
            for number, box in enumerate(boxes, 1)
        ],
    }
    (folder / "boxes.json").write_text(json.dumps(coco))
    on = Counter({(box["label"], box["image_id"]): 1 for box in boxes})
    most = Counter(label for label, _ in on).most_common(CLASSES)
    of = {label: [image for name, image in on if name == label] for label, _ in most}
    return Same(folder, len(boxes), size / len(images), of)


def link(blob: Path, target: Path) -> None:
    """Give a file a second name, or copy it to another disk."""
    try:
        target.hardlink_to(blob)
    except OSError:
        shutil.copyfile(blob, target)


def annotation(number: int, box: dict[str, Any], image: int, category: int) -> dict[str, Any]:
    """A box in COCO."""
    width, height = box["x_max"] - box["x_min"], box["y_max"] - box["y_min"]
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [box["x_min"], box["y_min"], width, height],
        "area": width * height,
        "iscrowd": 0,
    }


def lightly_environment(folder: Path) -> dict[str, str]:
    """LightlyStudio's environment: it tells nobody, and asks nobody."""
    return {
        **os.environ,
        "LIGHTLY_STUDIO_ANALYTICS_ENABLED": "false",
        "LIGHTLY_STUDIO_MODEL_CACHE_DIR": str(folder / "models"),
        "HF_HUB_OFFLINE": "1",
    }


def indexed(python: str, same: Same) -> float:
    """Seconds in which LightlyStudio reads the pictures and boxes."""
    done = subprocess.run(
        [python, "-c", LIGHTLY, str(same.folder), "0"],
        env=lightly_environment(same.folder),
        cwd=same.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = re.search(r"^seconds ([0-9.]+)$", done.stdout, re.MULTILINE)
    if done.returncode or not seconds:
        raise RuntimeError(done.stderr[-4000:])
    return float(seconds[1])


@contextmanager
def our_side(home: Path) -> Iterator[Side]:
    """The inspector, freshly started, with no thumbnail rendered."""
    from benchmarks.worlds.serving import served

    shutil.rmtree(home / "cache" / "inspector" / "renders", ignore_errors=True)
    with served(home) as server:
        yield Side(
            grid=f"{server.url}/p/{PROJECT}/images",
            selectors=OURS,
            facet="[data-facets-list]:not(.counting) [data-facet-key='query:label/%s']",
            cell=".cell",
            opened_by="click",
            headers={"Authorization": f"Bearer {server.token}"},
        )


@contextmanager
def their_side(python: str, folder: Path) -> Iterator[Side]:
    """LightlyStudio, freshly started over what it has indexed."""
    from benchmarks.worlds.serving import free_port

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "lightly.log").open("w") as log:
        process = subprocess.Popen(
            [python, "-c", LIGHTLY, str(folder), str(port)],
            env=lightly_environment(folder),
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            collections = answered(f"{url}/api/collections", process)
            images = next(c for c in collections if c["sample_type"] == "image")["collection_id"]
            yield Side(
                grid=f"{url}/datasets/{images}/image/{images}/images",  # where its root leads
                selectors=THEIRS,
                facet="#%s",
                cell="[data-testid=sample-grid-item]",
                opened_by="double click",
                headers={},
            )
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answered(url: str, process: subprocess.Popen[bytes]) -> Any:
    """What a server answers once it is there."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("LightlyStudio did not start") from None
            time.sleep(0.3)
