"""A catalogue small enough to reason about: images, their labels and what is known of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.catalog.schemas import TABLES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.duplicates.search import search_near_duplicates
from cv_pipeline.imaging.descriptor import descriptor
from cv_pipeline.imaging.perceptual import phash
from cv_pipeline.project import Project
from cv_pipeline.storage import open_store

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def sha(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def make_project(**changes: Any) -> Project:
    given: dict[str, Any] = {
        "name": "fruit",
        "task": "detection",
        "charter": {"problem": "find fruit"},
        "source": {"images": "images"},
        "annotations": {"source": "labels.json"},
        "ontology": {"labels": ["apple", "lemon", "kiwi"]},
        "training": {"model": "fcos_resnet18", "input_size": [96, 128]},
    }
    if changes.get("task") == "classification":
        given["training"]["model"] = "resnet18_small"
    return Project.model_validate({**given, **changes})


@dataclass
class World:
    """Rows of a catalogue to be; ``copies`` of an image show the same picture."""

    rows: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {name: [] for name in TABLES}
    )

    def image(
        self,
        name: str,
        labels: Sequence[str] = (),
        *,
        shows: str = "",
        split: str | None = None,
        annotator: str = "ann",
        kind: str = "bbox",
        features: bool = True,
        metadata: Mapping[str, str] | None = None,
        **measures: float,
    ) -> str:
        """Add an image of 100 × 80 pixels with a label for each name; gives its id."""
        image_id = sha(name)
        taken = NOON + timedelta(hours=len(self.rows["images"]))
        self.rows["images"].append(
            {
                "image_id": image_id,
                "path": f"{name}.jpg",
                "source": "images",
                "format": "JPEG",
                "width": 100,
                "height": 80,
                "bands": 3,
                "dtype": "uint8",
                "bytes": 1000,
                "captured_at": taken,
                "split": split,
                "batch": "first",
                "ingested_at": NOON,
            }
        )
        if features:
            thumbnail = _thumbnail(shows or name)
            self.rows["image_features"].append(_features(image_id, thumbnail, measures))
            self.rows["signatures"].append(_signature(image_id, thumbnail))
        for key, value in (metadata or {}).items():
            self.rows["image_metadata"].append(
                {"image_id": image_id, "key": key, "value": value, "actor": "test", "at": NOON}
            )
        for n, label in enumerate(labels):
            self.label(name, label, number=n, annotator=annotator, kind=kind)
        return image_id

    def label(
        self,
        name: str,
        label: str,
        *,
        number: int = 0,
        annotator: str = "ann",
        kind: str = "bbox",
        **changes: Any,
    ) -> None:
        """Add a label: the n-th box of an image is always at the same place."""
        x = 5.0 + 15 * number
        box = {"x_min": x, "y_min": 5.0, "x_max": x + 10, "y_max": 20.0}
        row = {
            "annotation_id": sha(f"{name} {annotator} {number}")[:32],
            "image_id": sha(name),
            "label": label,
            "kind": kind,
            **(box if kind == "bbox" else {}),
            "attributes": "{}",
            "annotator": annotator,
            "role": "annotator",
            "ontology_version": "1",
            "guideline_version": "1",
            "created_at": NOON + timedelta(minutes=len(self.rows["annotations"])),
            "source": "labels.json",
            "original_id": str(number),
        }
        self.rows["annotations"].append({**row, **changes})

    def catalog(self, folder: Path) -> Catalog:
        """Write everything, and search for near-duplicates."""
        catalog = Catalog(open_store(str(folder)), "fruit")
        for name, rows in self.rows.items():
            if rows:
                catalog.table(name).replace(pa.Table.from_pylist(rows, schema=TABLES[name]))
        search_near_duplicates(catalog, distance=6, progress=lambda done, total, what: None)
        return catalog


def fruit_world(images: int = 60) -> World:
    """Apples and lemons by turns, and a kiwi on every tenth image."""
    world = World()
    for n in range(images):
        labels = ["apple" if n % 2 else "lemon", *(["kiwi"] if n % 10 == 0 else [])]
        camera = "belt" if n % 3 else "yard"
        world.image(f"image {n}", labels, metadata={"camera": camera, "line": str(n % 4)})
    return world


def _thumbnail(shows: str) -> NDArray[np.uint8]:
    rng = np.random.default_rng(int(sha(shows)[:8], 16))
    return np.kron(rng.uniform(0, 255, (8, 8)), np.ones((4, 4))).astype(np.uint8)[None]


def _features(
    image_id: str, thumbnail: NDArray[np.uint8], measures: Mapping[str, float]
) -> dict[str, Any]:
    rng = np.random.default_rng(thumbnail.ravel())
    values = {
        "brightness": float(rng.uniform(0.3, 0.7)),
        "contrast": float(rng.uniform(0.1, 0.3)),
        "sharpness": float(rng.uniform(100, 200)),
        "saturation": float(rng.uniform(0.3, 0.7)),
        "hue": float(rng.uniform(0, 360)),
    }
    return {
        "image_id": image_id,
        "phash": int(phash(thumbnail)[0]),
        "phash_mirrored": int(phash(thumbnail[:, :, ::-1])[0]),
        **values,
        **measures,
    }


def _signature(image_id: str, thumbnail: NDArray[np.uint8]) -> dict[str, Any]:
    described = descriptor(np.repeat(thumbnail[0, :, :, None], 3, axis=2))
    return {
        "image_id": image_id,
        "thumbnail": thumbnail.tobytes(),
        "descriptor": described.tolist(),
    }
