"""COCO metrics of detections: this project beside pycocotools, on the same generated boxes.

python benchmarks/detection_metrics.py [IMAGES] [DETECTIONS]
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import sys
import time
from importlib.metadata import version

import numpy as np
import pyarrow as pa
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.evaluation import detection_metrics

CLASSES = 10
BOX = ("x_min", "y_min", "x_max", "y_max")


def boxes(corner: np.ndarray, size: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of boxes from their upper left corners and sizes, (N, 2) each."""
    return dict(zip(BOX, np.concatenate([corner, corner + size], axis=1).T, strict=True))


def world(images: int, detections: int) -> tuple[pa.Table, pa.Table, pa.Table, tuple[str, ...]]:
    """Images, ground truth, predictions and class names; a third as many objects as detections."""
    random = np.random.default_rng(0)
    ids = np.array([f"{n:064x}" for n in range(images)])
    labels = tuple(f"class{n}" for n in range(CLASSES))
    objects = detections // 3
    where, which = random.integers(0, images, objects), random.integers(0, CLASSES, objects)
    corner, size = random.uniform(0, 500, (objects, 2)), random.uniform(20, 120, (objects, 2))
    truth = {
        "image_id": ids[where],
        "label": np.array(labels)[which],
        "kind": ["bbox"] * objects,
        **boxes(corner, size),
    }
    missing = {f.name: pa.nulls(objects, f.type) for f in ANNOTATIONS if f.nullable}
    texts = {f.name: [""] * objects for f in ANNOTATIONS if f.type == pa.string()}
    truth = {**missing, **texts, **truth}
    source = random.integers(0, objects, detections)
    wrong = random.integers(0, CLASSES, detections)
    guess = np.where(random.uniform(size=detections) < 0.8, which[source], wrong)
    found = {
        "image_id": ids[where[source]],
        "rank": np.arange(1, detections + 1, dtype=np.int32),
        "label": np.array(labels)[guess],
        "score": random.uniform(size=detections),
        **boxes(
            corner[source] + random.normal(0, 8, (detections, 2)),
            size[source] * random.uniform(0.8, 1.2, (detections, 2)),
        ),
    }
    annotations = pa.table({f.name: truth[f.name] for f in ANNOTATIONS}).cast(ANNOTATIONS)
    predictions = pa.table({f.name: found[f.name] for f in PREDICTIONS}).cast(PREDICTIONS)
    return pa.table({"image_id": ids}), annotations, predictions, labels


def reference(
    images: pa.Table, annotations: pa.Table, predictions: pa.Table, labels: tuple[str, ...]
) -> float:
    """AP as pycocotools computes it."""
    number = {image: n for n, image in enumerate(images["image_id"].to_pylist(), start=1)}

    def rows(table: pa.Table) -> list[dict[str, object]]:
        return [
            {
                "id": n,
                "image_id": number[r["image_id"]],
                "category_id": labels.index(r["label"]) + 1,
                "bbox": [r["x_min"], r["y_min"], r["x_max"] - r["x_min"], r["y_max"] - r["y_min"]],
                "area": (r["x_max"] - r["x_min"]) * (r["y_max"] - r["y_min"]),
                "iscrowd": 0,
                "score": r.get("score"),
            }
            for n, r in enumerate(table.to_pylist(), start=1)
        ]

    coco = COCO()
    coco.dataset = {
        "images": [{"id": n} for n in number.values()],
        "categories": [{"id": n, "name": label} for n, label in enumerate(labels, start=1)],
        "annotations": rows(annotations),
    }
    coco.createIndex()
    evaluation = COCOeval(coco, coco.loadRes(rows(predictions)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


def main() -> None:
    """Time both sides once, and print what was compared."""
    images, detections = (int(a) for a in [*sys.argv[1:], "2000", "40000"][:2])
    made = world(images, detections)
    print(f"{images:,} images, {len(made[1]):,} objects, {detections:,} detections")
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    began = time.perf_counter()
    ours = detection_metrics(made[1], made[2], images=made[0], labels=made[3]).overall["AP"]
    seconds = time.perf_counter() - began
    print(f"cv_pipeline (faster-coco-eval {version('faster-coco-eval')})  {seconds:6.2f} s")
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = reference(*made)
    seconds = time.perf_counter() - began
    print(f"pycocotools {version('pycocotools')}                      {seconds:6.2f} s")
    print(f"AP {ours:.12f} and {theirs:.12f}, difference {abs(ours - theirs):.1e}")


if __name__ == "__main__":
    main()
