"""A datalake of six images with everything that queries ask about, and references to match."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.catalog.datalake.references import Moment
from cv_pipeline.catalog.schemas import (
    ANNOTATIONS,
    FILES,
    IMAGE_METADATA,
    IMAGE_TAGS,
    IMAGES,
    SIGNATURES,
    TAKEOUTS,
)
from cv_pipeline.catalog.schemas.per_image import PER_IMAGE
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import ProvenanceError
from cv_pipeline.storage import Blobs, open_store
from tests.catalog.event_lake import rows_of

SCENES = ("outdoor", "outdoor", "indoor", "outdoor", "outdoor", None)
DAYS = ("2025-10-01", "2025-12-31", "2025-11-05", "2025-09-30", "2026-01-01", "2025-11-11")
PROJECT = """\
name: fruit
task: detection
charter: {problem: a test}
source: {images: /nowhere}
annotations: {source: /nowhere.csv}
ontology: {labels: [kiwi, lemon]}
training: {model: fcos_resnet18, input_size: [48, 64]}
"""


@dataclass
class Folders:
    """References to folders that a test writes, by what a query calls them."""

    datasets: dict[str, Path] = field(default_factory=dict)
    models: dict[str, Path] = field(default_factory=dict)
    moments: dict[str, Moment] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)

    def dataset(self, ref: str) -> Path:
        return self._known(self.datasets, ref)

    def predictions(self, ref: str) -> Path:
        return self._known(self.models, ref)

    def evaluation(self, ref: str) -> Path:
        return self._known(self.models, ref)

    def folder(self, name: str) -> Path:
        return next(path for path in self.written if str(path).endswith(f"/{name}"))

    def moment(self, text: str) -> Moment:
        if text not in self.moments:
            raise ProvenanceError(f"There is no moment {text!r}.")
        return self.moments[text]

    def _known(self, known: dict[str, Path], ref: str) -> Path:
        if ref not in known:
            raise ProvenanceError(f"There is no {ref!r}.")
        return known[ref]


@dataclass(frozen=True)
class DatalakeWorld:
    """A project with its lake; ``ids`` are the ids of its images by their paths, 0.jpg to 5.jpg."""

    folder: Path
    catalog: Catalog
    references: Folders
    ids: tuple[str, ...]

    def open(self) -> Datalake:
        """The lake as a user opens it."""
        return Datalake.open("fruit", references=self.references)

    def numbers(self, image_ids: Any) -> list[int]:
        """Which of the images some ids are, in their order."""
        return [self.ids.index(i) for i in image_ids.to_pylist()]

    def take_out(self, number: int) -> None:
        """Take an image out, as far as the tables go."""
        row = {"image_id": self.ids[number], "reason": "asked for", "actor": "anna"}
        rows = rows_of(TAKEOUTS, [row | {"at": dt.datetime(2026, 2, 3, tzinfo=dt.UTC)}])
        self.catalog.table("takeouts").merge(rows, on=["image_id"])

    def write_dataset(self, ref: str, splits: dict[int, str]) -> None:
        """Write a dataset version with the split of each of its images."""
        rows = [{"image_id": self.ids[n], "split": split} for n, split in splits.items()]
        folder = self.folder / "datasets" / ref
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / "manifest.parquet")
        self.references.datasets[ref] = folder
        self.references.written.append(folder)

    def write_model(
        self, ref: str, *, results: dict[int, dict[str, Any]], labels: dict[int, str]
    ) -> None:
        """Write what a model predicted, and how it did, by the number of the image."""
        folder = self.folder / "models" / ref
        folder.mkdir(parents=True)
        blank = {"split": "test", "objects": 1, "true_positives": 0, "false_positives": 0}
        blank |= {"false_negatives": 0, "correct": True, "score": 1.0}
        rows = [{"image_id": self.ids[n]} | blank | row for n, row in results.items()]
        pq.write_table(pa.Table.from_pylist(rows, PER_IMAGE), folder / "per_image.parquet")
        found = [
            {"image_id": self.ids[n], "rank": 1, "label": label, "score": 0.75}
            for n, label in labels.items()
        ]
        found.append({"image_id": "f" * 64, "rank": 1, "label": "kiwi", "score": 0.9})
        pq.write_table(pa.Table.from_pylist(found, PREDICTIONS), folder / "predictions.parquet")
        self.references.models[ref] = folder
        self.references.written.append(folder)


def make_datalake_world(folder: Path) -> DatalakeWorld:
    """Write the project and its lake; CV_HOME, CV_STORE and CV_PROJECTS are for the caller."""
    (folder / "projects" / "fruit").mkdir(parents=True)
    (folder / "projects" / "fruit" / "project.yaml").write_text(PROJECT)
    store = open_store(str(folder / "store"))
    catalog = Catalog(store, "fruit")
    ids = tuple(Blobs(store).put(f"image {n}".encode()) for n in range(6))
    midnight = [dt.datetime.fromisoformat(f"{day}T00:00:00+00:00") for day in DAYS]
    images = [
        {"image_id": i, "path": f"{n}.jpg", "captured_at": midnight[n], "width": 100 * n}
        for n, i in enumerate(ids)
    ]
    catalog.table("images").merge(rows_of(IMAGES, images), on=["image_id"])
    files = [{"path": "copy/of_0.jpg", "image_id": ids[0]}]
    catalog.table("files").merge(rows_of(FILES, files), on=["path"])
    at = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    scenes = [
        {"image_id": i, "key": "scene", "value": scene, "actor": "source", "at": at}
        for i, scene in zip(ids, SCENES, strict=True)
        if scene
    ]
    catalog.table("image_metadata").append(rows_of(IMAGE_METADATA, scenes))
    tags = [{"image_id": ids[2], "tag": "hard", "present": True, "actor": "anna", "at": at}]
    catalog.table("image_tags").append(rows_of(IMAGE_TAGS, tags))
    labels = [
        {"annotation_id": "1", "image_id": ids[1], "label": "kiwi", "annotator": "ann_1"},
        {"annotation_id": "2", "image_id": ids[5], "label": "lemon", "annotator": "model:v1"},
    ]
    boxes = [row | {"kind": "bbox", "x_max": 9.0, "attributes": "{}"} for row in labels]
    catalog.table("annotations").merge(rows_of(ANNOTATIONS, boxes), on=["annotation_id"])
    return DatalakeWorld(folder, catalog, Folders(), ids)


def write_signatures(world: DatalakeWorld, directions: dict[int, list[float]]) -> None:
    """Give images descriptors that begin as said and are of length 1."""
    rows = []
    for number, direction in directions.items():
        vector = np.zeros(64, np.float32)
        vector[: len(direction)] = direction / np.linalg.norm(direction)
        row = {"image_id": world.ids[number], "thumbnail": bytes(1024)}
        rows.append(row | {"descriptor": vector.tolist()})
    table = pa.Table.from_pylist(rows, SIGNATURES)
    world.catalog.table("signatures").merge(table, on=["image_id"])
