"""Scenes as COCO files have them, and what pycocotools makes of them."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SIDE = 320


def coco_files(
    seed: int,
    *,
    images: int,
    labels: int,
    objects: int,
    detections: int,
    masks: bool = False,
    ties: bool = True,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Ground truth and results; objects of all sizes, some crowds, and scores that repeat.

    The last class has no object and the last image neither objects nor detections. With masks,
    both are ellipses as compressed run lengths and the results have no boxes.
    """
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, SIDE - 20, (objects, 2)).round(1)
    size = np.minimum(
        rng.choice([12.0, 40.0, 110.0], (objects, 1)) * rng.uniform(0.6, 1.4, (objects, 2)),
        SIDE - corner,
    )
    label = rng.integers(0, max(labels - 1, 1), objects)
    where = rng.integers(0, max(images - 1, 1), objects)
    truth = [
        {
            "id": n + 1,
            "image_id": int(where[n]) + 7,
            "category_id": int(label[n]) + 3,
            "bbox": [*corner[n].tolist(), *size[n].tolist()],
            "area": float(size[n].prod()),
            "iscrowd": int(rng.random() < 0.08),
        }
        for n in range(objects)
    ]
    results = []
    for _ in range(detections):
        box = [*rng.uniform(0, SIDE - 40, 2), *rng.uniform(8, 90, 2)]
        image, of = int(rng.integers(0, max(images - 1, 1))) + 7, int(rng.integers(0, labels)) + 3
        if objects and rng.random() < 0.85:
            like = truth[int(rng.integers(0, objects))]
            wide = np.asarray(like["bbox"])[2:]
            # often exactly the object, so that overlaps are equal
            shift = rng.normal(0, 0.12, 4) * (rng.random() < 0.8)
            box = [*(np.asarray(like["bbox"])[:2] + shift[:2] * wide), *(wide * (1 + shift[2:]))]
            image = like["image_id"]
            of = like["category_id"] if rng.random() < 0.85 else of
        results.append(
            {
                "image_id": image,
                "category_id": of,
                "bbox": [float(v) for v in box],
                "score": float(rng.integers(0, 25)) / 25 if ties else float(rng.random()),
            }
        )
    if masks:
        for row in truth:
            row["segmentation"] = _ellipse(row["bbox"])
            row["area"] = float(coco_mask.area(row["segmentation"]))
        for row in results:
            row["segmentation"] = _ellipse(row.pop("bbox"))
    known = {
        "images": [{"id": n + 7, "width": SIDE, "height": SIDE} for n in range(images)],
        "categories": [{"id": k + 3, "name": f"class{k}"} for k in range(labels)],
        "annotations": truth,
    }
    return known, results


def _ellipse(box: list[float]) -> dict[str, Any]:
    x, y, width, height = box
    row, column = np.mgrid[0:SIDE, 0:SIDE]
    inside = ((column - x - width / 2) / (width / 2 + 1e-9)) ** 2 + (
        (row - y - height / 2) / (height / 2 + 1e-9)
    ) ** 2 <= 1
    made = coco_mask.encode(np.asfortranarray(inside.astype(np.uint8)))
    return {"size": made["size"], "counts": made["counts"].decode()}


def pycocotools_numbers(
    known: dict[str, Any], results: list[dict[str, Any]], *, iou_type: str = "bbox"
) -> tuple[list[float], np.ndarray]:
    """The twelve numbers, -1 where undefined, and (classes, 10) average precision."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = known
        truth.createIndex()
        found = truth.loadRes([dict(row) for row in results])
        reference = COCOeval(truth, found, iou_type)
        reference.evaluate()
        reference.accumulate()
        reference.summarize()
    return reference.stats.tolist(), reference.eval["precision"][:, :, :, 0, -1].mean(axis=1).T
