"""Evaluation of detections at full size, and beside the libraries that compute COCO's numbers.

python benchmarks/detection_metrics.py [--images 50000] [--detections 500000]
    [--skip pycocotools torchmetrics] [--compare-images 0]

First this project on all images: COCO's twelve numbers, TIDE, 200 resamples of the images and 200
slices, all from one matching, and the peak of memory. Then each library on the same images (or on
the first so many), from the same arrays, with the time of each to build what it works on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import platform
import resource
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import pairwise
from typing import TypeVar

import numpy as np

from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.detection.coco import CocoEvaluation
from cv_pipeline.evaluation.detection.scorer import DetectionScorer
from cv_pipeline.evaluation.detection.summary import coco_summary

CLASSES = 10
T = TypeVar("T")
KEYS, VALUES = 20, 10  # slices: the values of so many keys
LIBRARIES = ("faster-coco-eval", "torchmetrics-faster", "torchmetrics", "pycocotools")


def world(images: int, detections: int) -> tuple[Boxes, Detections]:
    """A third as many objects as detections, most of which lie near one and are of its class."""
    random = np.random.default_rng(0)
    objects = detections // 3
    where = random.integers(0, images, objects)
    which = random.integers(0, CLASSES, objects)
    corner = random.uniform(0, 500, (objects, 2))
    size = random.choice([20.0, 60.0, 140.0], (objects, 1)) * random.uniform(0.7, 1.3, (objects, 2))
    source = random.integers(0, objects, detections)
    wrong = random.integers(0, CLASSES, detections)
    right = random.uniform(size=detections) < 0.8
    moved = corner[source] + random.normal(0, 0.1, (detections, 2)) * size[source]
    grown = size[source] * random.uniform(0.8, 1.2, (detections, 2))
    order = np.argsort(where[source], kind="stable")
    score = np.clip(random.normal(np.where(right, 0.6, 0.4), 0.2), 0, 1)
    return (
        Boxes(where, which, np.hstack([corner, corner + size])),
        Detections(
            where[source],
            np.where(right, which[source], wrong),
            np.hstack([moved, moved + grown]),
            score,
        ).take(order),
    )


def timed(what: str, run: Callable[[], T]) -> tuple[T, float]:
    """The result and seconds of a call, which are printed."""
    began = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - began
    print(f"  {what:<44} {seconds:8.2f} s", flush=True)
    return result, seconds


def ours(truth: Boxes, found: Detections, images: int) -> None:
    """Everything at full size, in one process."""
    labels = tuple(f"class{k}" for k in range(CLASSES))
    total = 0.0

    def step(what: str, run: Callable[[], T]) -> T:
        nonlocal total
        result, seconds = timed(what, run)
        total += seconds
        return result

    scorer = step(
        "matching (10 IoUs)", lambda: DetectionScorer(truth, found, images=images, labels=labels)
    )
    summary = step(
        "COCO's twelve numbers, all and by class", lambda: coco_summary(scorer.evaluation)
    )
    costs = step("TIDE", scorer.error_costs)
    intervals = step("intervals, 200 resamples", scorer.intervals)
    step(
        "matches, counts, per image, confusion, curves",
        lambda: [
            scorer.matches(),
            scorer.counts(),
            scorer.per_image(),
            scorer.confusion(),
            scorer.curves(),
        ],
    )
    values = np.random.default_rng(1).integers(0, VALUES, (KEYS, images))
    slices = [np.flatnonzero(key == value) for key in values for value in range(VALUES)]
    step(
        f"{len(slices)} slices, all metrics, all and by class",
        lambda: [scorer.measure(chosen) for chosen in slices],
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"  {'together':<44} {total:8.2f} s, peak memory {peak:.2f} GB")
    print("  " + ", ".join(f"{k} {v:.4f}" for k, v in summary.overall.items() if v is not None))
    print("  dAP " + ", ".join(f"{kind} {cost:.4f}" for kind, cost in costs.items()))
    print("  95 % " + ", ".join(f"{m} {i.low:.4f} to {i.high:.4f}" for m, i in intervals.items()))


def rows(boxes: Boxes) -> list[dict[str, object]]:
    """Boxes as the entries of COCO's files."""
    xywh = np.hstack([boxes.xyxy[:, :2], boxes.sizes]).tolist()
    columns = zip(
        boxes.image.tolist(), boxes.label.tolist(), xywh, boxes.area.tolist(), strict=True
    )
    out: list[dict[str, object]] = [
        {"id": n, "image_id": i, "category_id": k, "bbox": box, "area": area, "iscrowd": 0}
        for n, (i, k, box, area) in enumerate(columns, start=1)
    ]
    if isinstance(boxes, Detections):
        for row, score in zip(out, boxes.score.tolist(), strict=True):
            row["score"] = score
    return out


def coco_files(
    truth: Boxes, found: Detections, images: int
) -> tuple[dict[str, object], list[dict[str, object]]]:
    """What both files hold."""
    known = {
        "images": [{"id": n} for n in range(images)],
        "categories": [{"id": k, "name": str(k)} for k in range(CLASSES)],
        "annotations": rows(truth),
    }
    return known, rows(found)


def by_coco(library: str, known: dict[str, object], results: list[dict[str, object]]) -> float:
    """AP by pycocotools or bare faster-coco-eval."""
    if library == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    else:
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as COCOeval
    coco = COCO()
    coco.dataset = known
    coco.createIndex()
    evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


def by_torchmetrics(backend: str, truth: Boxes, found: Detections, images: int) -> float:
    """AP by torchmetrics, in float32 as it keeps boxes."""
    import torch
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(backend=backend)
    sides = []
    for boxes in (truth, found):
        order = np.argsort(boxes.image, kind="stable")
        bounds = np.searchsorted(boxes.image[order], np.arange(images + 1))
        columns = {
            "boxes": torch.tensor(boxes.xyxy[order]),
            "labels": torch.tensor(boxes.label[order]),
        }
        if isinstance(boxes, Detections):
            columns["scores"] = torch.tensor(boxes.score[order])
        sides.append(
            [{k: v[a:b] for k, v in columns.items()} for a, b in pairwise(bounds.tolist())]
        )
    metric.update(sides[1], sides[0])
    return float(metric.compute()["map"])


def run(
    library: str,
    truth: Boxes,
    found: Detections,
    images: int,
    files: tuple[dict[str, object], list[dict[str, object]]],
) -> float:
    """AP by one library."""
    with contextlib.redirect_stdout(io.StringIO()):
        if library.startswith("torchmetrics"):
            backend = "faster_coco_eval" if library.endswith("faster") else "pycocotools"
            return by_torchmetrics(backend, truth, found, images)
        return by_coco(library, *files)


def compare(truth: Boxes, found: Detections, images: int, skip: list[str]) -> None:
    """COCO's numbers by each library and by this project, on the same images."""

    def mine() -> float | None:
        evaluation = CocoEvaluation(truth, found.strongest(100), images=images, labels=CLASSES)
        return coco_summary(evaluation).overall["AP"]

    ap, seconds = timed("cv_pipeline, from arrays", mine)
    files, _ = timed(
        "(the arrays as COCO's dictionaries)", lambda: coco_files(truth, found, images)
    )
    few = np.arange(images) < 50
    part = truth.of_images(few), found.of_images(few)
    small = (*part, 50, coco_files(*part, 50))
    for library in LIBRARIES:
        if library in skip:
            continue
        run(library, *small)  # imports
        began = time.perf_counter()
        theirs = run(library, truth, found, images, files)
        taken = time.perf_counter() - began
        print(
            f"  {library:<44} {taken:8.2f} s, {taken / seconds:5.1f} times ours,"
            f" AP differs by {abs(theirs - (ap or 0)):.1e}",
            flush=True,
        )


def main() -> None:
    """Run both parts and print what was compared."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--images", type=int, default=50_000)
    arguments.add_argument("--detections", type=int, default=500_000)
    arguments.add_argument("--compare-images", type=int, default=0, help="0 for all")
    arguments.add_argument("--skip", nargs="*", default=[], choices=LIBRARIES)
    given = arguments.parse_args()
    truth, found = world(given.images, given.detections)
    print(
        f"{given.images:,} images, {len(truth):,} objects, {len(found):,} detections,"
        f" {CLASSES} classes"
    )
    names = ("numpy", "faster-coco-eval", "pycocotools", "torchmetrics")
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, "
        + ", ".join(f"{name} {version(name)}" for name in names)
    )
    few = np.arange(given.images) < 50
    with contextlib.redirect_stdout(io.StringIO()):
        ours(truth.of_images(few), found.of_images(few), 50)  # imports
    print("cv_pipeline, one process:")
    ours(truth, found, given.images)
    images = given.compare_images or given.images
    chosen = np.arange(given.images) < images
    truth, found = truth.of_images(chosen), found.of_images(chosen)
    print(f"COCO's twelve numbers on {images:,} images, {len(found):,} detections:")
    compare(truth, found, images, given.skip)


if __name__ == "__main__":
    main()
