"""Small scenes, written as rows and drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas.annotations import ANNOTATIONS
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.evaluation.detection.boxes import Boxes, Detections

EDGES = ("x_min", "y_min", "x_max", "y_max")


@pytest.fixture(scope="session")
def annotations_of() -> Callable[..., pa.Table]:
    """Rows of (image, label) or (image, label, box) as a table of schema ANNOTATIONS."""

    def build(*rows: tuple[Any, ...]) -> pa.Table:
        return pa.Table.from_pylist(
            [
                {
                    "annotation_id": f"a{n}",
                    "image_id": image,
                    "label": label,
                    "kind": "bbox" if box else "class",
                    **dict(zip(EDGES, box[0] if box else (None,) * 4, strict=True)),
                    "attributes": "{}",
                    "annotator": "annotator-1",
                    "role": "annotator",
                    "ontology_version": "1",
                    "guideline_version": "1",
                    "source": "export.json",
                    "original_id": str(n),
                }
                for n, (image, label, *box) in enumerate(rows)
            ],
            schema=ANNOTATIONS,
        )

    return build


@pytest.fixture(scope="session")
def predictions_of() -> Callable[..., pa.Table]:
    """Rows of (image, label, score) or (image, label, score, box) as schema PREDICTIONS."""

    def build(*rows: tuple[Any, ...]) -> pa.Table:
        return pa.Table.from_pylist(
            [
                {
                    "image_id": image,
                    "rank": n,
                    "label": label,
                    "score": score,
                    **dict(zip(EDGES, box[0] if box else (None,) * 4, strict=True)),
                }
                for n, (image, label, score, *box) in enumerate(rows)
            ],
            schema=PREDICTIONS,
        )

    return build


@pytest.fixture(scope="session")
def images_of() -> Callable[..., pa.Table]:
    """Image ids, all of 100 × 100 pixels, as the columns of a manifest that matter."""

    def build(*ids: str) -> pa.Table:
        return pa.table(
            {
                "image_id": pa.array(ids, pa.string()),
                "width": pa.array([100] * len(ids), pa.int32()),
                "height": pa.array([100] * len(ids), pa.int32()),
            }
        )

    return build


@pytest.fixture(scope="session")
def random_scene() -> Callable[..., tuple[Boxes, Detections]]:
    """Objects, and detections of which most lie near one; scores repeat."""

    def draw(
        seed: int, *, images: int, labels: int, objects: int, detections: int
    ) -> tuple[Boxes, Detections]:
        rng = np.random.default_rng(seed)

        def boxes(count: int) -> np.ndarray:
            corner = rng.uniform(0, 80, (count, 2))
            return np.hstack([corner, corner + rng.uniform(5, 40, (count, 2))])

        truth = Boxes(
            rng.integers(0, images, objects), rng.integers(0, labels, objects), boxes(objects)
        )
        found = Detections(
            rng.integers(0, images, detections),
            rng.integers(0, labels, detections),
            boxes(detections),
            rng.integers(0, 20, detections) / 20,
        )
        if objects:
            near = np.flatnonzero(rng.random(detections) < 0.8)
            like = rng.integers(0, objects, len(near))
            found.image[near] = truth.image[like]
            found.xyxy[near] = truth.xyxy[like] + rng.normal(0, 2, (len(near), 4))
            same = rng.random(len(near)) < 0.8
            found.label[near[same]] = truth.label[like[same]]
            found.xyxy[:, 2:] = np.maximum(found.xyxy[:, 2:], found.xyxy[:, :2] + 1)
        found = Detections(found.image, found.label, found.xyxy, found.score)  # of its new sizes
        return truth, found.take(np.argsort(found.image, kind="stable"))

    return draw
