"""Dataset versions small enough to train on in a second: one bright square on a dark ground."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.datasets.manifest import MANIFEST
from cv_pipeline.project import Training
from cv_pipeline.storage import Blobs, open_store
from cv_pipeline.training import TrainingSpec

ROOT = Path(__file__).resolve().parents[2]
HEIGHT, WIDTH = 48, 64
LABELS = ("blue", "red")
COLOURS = {"blue": (30, 60, 220), "red": (220, 50, 30)}


@dataclass
class Sample:
    """One image of a dataset version, with one labelled box."""

    data: bytes
    split: str
    label: str
    box: tuple[float, float, float, float]
    format: str = "PNG"
    dtype: str = "uint8"
    bands: int = 3
    size: tuple[int, int] = (HEIGHT, WIDTH)


@dataclass
class World:
    """A dataset version and the store that holds its images."""

    folder: Path
    store_url: str
    task: str
    blobs: Blobs
    samples: list[Sample]
    ids: list[str] = field(default_factory=list)

    def spec(self, out: Path, *, seed: int = 0, **training: object) -> TrainingSpec:
        small = {
            "model": "fcos_resnet18" if self.task == "detection" else "resnet18_small",
            "input_size": (48, 64),
            "epochs": 1,
            "batch_size": 4,
        }
        return TrainingSpec(
            project="squares",
            task=self.task,
            labels=LABELS,
            training=Training.model_validate(small | training),
            seed=seed,
            dataset=self.folder,
            dataset_digest="d" * 64,
            store_url=self.store_url,
            out=out,
            tracking_uri=f"sqlite:///{out.parent}/mlflow.db",
            tags={"dagster_run_id": "run-1"},
            code_version="1",
        )


def encode(image: np.ndarray | Image.Image, container: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(out, container, **options)
    return out.getvalue()


def square(seed: int, split: str, *, container: str = "PNG") -> Sample:
    rng = np.random.default_rng(seed)
    image = rng.integers(20, 50, size=(HEIGHT, WIDTH, 3), dtype=np.uint8)
    label = LABELS[seed % 2]
    x, y = int(rng.integers(0, WIDTH - 20)), int(rng.integers(0, HEIGHT - 20))
    image[y : y + 20, x : x + 20] = COLOURS[label]
    return Sample(encode(image, container), split, label, (x, y, x + 20, y + 20), format=container)


def write_version(folder: Path, samples: Sequence[Sample], *, task: str, blobs: Blobs) -> list[str]:
    """Write the tables of a dataset version and return the image ids in order of the samples."""
    folder.mkdir(parents=True)
    ids = [blobs.put(sample.data) for sample in samples]
    manifest, annotations = [], []
    for number, (image_id, sample) in enumerate(zip(ids, samples, strict=True)):
        manifest.append(
            {
                "image_id": image_id,
                "split": sample.split,
                "path": f"{number}.png",
                "format": sample.format,
                "height": sample.size[0],
                "width": sample.size[1],
                "bands": sample.bands,
                "dtype": sample.dtype,
                "batch": "b",
                "cluster": image_id,
                "unit": image_id,
                "objects": 1,
                "labels_state": "labelled",
            }
        )
        edges = dict(zip(("x_min", "y_min", "x_max", "y_max"), sample.box, strict=True))
        annotations.append(
            {
                "annotation_id": f"{number:032d}",
                "image_id": image_id,
                "label": sample.label,
                "kind": "bbox" if task == "detection" else "class",
                **(edges if task == "detection" else {}),
                "attributes": "{}",
                "annotator": "annotator-1",
                "role": "annotator",
                "ontology_version": "1",
                "guideline_version": "1",
                "source": "labels.csv",
                "original_id": str(number),
            }
        )
    rows = pa.Table.from_pylist(manifest, schema=MANIFEST).sort_by("image_id")
    pq.write_table(rows, folder / "manifest.parquet")
    rows = pa.Table.from_pylist(annotations, schema=ANNOTATIONS)
    pq.write_table(rows, folder / "annotations.parquet")
    return ids


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[..., World]:
    """Builds a dataset version of given samples, or of twelve squares."""

    def make(task: str = "detection", samples: Sequence[Sample] = ()) -> World:
        splits = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
        chosen = list(samples) or [square(i, split) for i, split in enumerate(splits)]
        blobs = Blobs(open_store(str(tmp_path / "store")))
        folder = tmp_path / f"version-{task}"
        ids = write_version(folder, chosen, task=task, blobs=blobs)
        return World(folder, str(tmp_path / "store"), task, blobs, chosen, ids)

    return make


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory) -> Path:
    """An empty MLflow database, which two processes have initialised at once."""
    path = tmp_path_factory.mktemp("mlflow") / "made" / "mlflow.db"
    code = (
        "import sys; from cv_pipeline.training import initialise_tracking\n"
        "initialise_tracking(sys.argv[1])"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{path}"]
    both = [
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in both:
        _, errors = process.communicate(timeout=200)
        assert (process.returncode, errors) == (0, "")
    return path
