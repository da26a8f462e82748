"""COCO's average precision and matching, by faster-coco-eval on float64 boxes.

Detections are matched to ground truth once; average precision is then accumulated for any subset
of the images, with the same result as an evaluation of those images alone. Agrees with pycocotools.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.boxes import Boxes, Detections

IOU_THRESHOLDS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
MAX_DETECTIONS = 100

IOU_50 = 0
IOU_75 = 5


class CocoEvaluation:
    """The evaluation of one set of images.

    Args:
        truth: objects of the images 0 … ``images`` - 1.
        detections: of the same images, in the order that breaks ties of scores.
        images: number of images.
        labels: number of classes.
    """

    def __init__(self, truth: Boxes, detections: Detections, *, images: int, labels: int) -> None:
        self._images = images
        self._labels = labels
        self._detections = len(detections)
        self._empty = len(truth) == 0
        self._matched: Any = None
        if not self._empty:
            self._pair = _coco_pair(truth, detections, images=images, labels=labels)

    def average_precision(self, images: NDArray[np.int64]) -> NDArray[np.float64]:
        """Average precision over these images.

        The mean of precision at 101 recall points, as COCO defines it.

        Args:
            images: indices, sorted.

        Returns:
            (labels, 10) float64 by class and IoU threshold; NaN for a class without ground truth
            in these images.
        """
        if self._empty or len(images) == 0:
            return np.full((self._labels, len(IOU_THRESHOLDS)), np.nan)
        if self._matched is None:
            evaluator = self._evaluate(IOU_THRESHOLDS)
            # Accumulation has no public way to choose images: the per-image results, ordered by
            # class and then image, are cut to those wanted.
            self._matched = evaluator, list(evaluator._evalImgs_cpp)
        evaluator, results = self._matched
        chosen = images.tolist()
        evaluator._paramsEval.imgIds = chosen
        evaluator._evalImgs_cpp = [
            results[k * self._images + i] for k in range(self._labels) for i in chosen
        ]
        evaluator.accumulate()
        precision = evaluator.eval["precision"][:, :, :, 0, 0]  # (IoU, recall, class)
        means: NDArray[np.float64] = precision.mean(axis=1).T
        return np.where(means < 0, np.nan, means)

    def matches(self) -> NDArray[np.int64]:
        """Which object each detection is matched to at IoU 0.5; -1 for none.

        Matching is greedy by descending score, so leaving out the detections below a score does
        not change the matches of the others.

        Returns:
            (detections,) int64 index into the truth.
        """
        out = np.full(self._detections, -1, dtype=np.int64)
        if self._empty:
            return out
        evaluator = self._evaluate(IOU_THRESHOLDS[:1])
        evaluator.accumulate()
        pairs = [key.split("_") for key in evaluator.eval["matched"]]
        if pairs:
            detection, truth = np.array(pairs, dtype=np.int64).T
            out[detection - 1] = truth - 1
        return out

    def _evaluate(self, iou_thresholds: NDArray[np.float64]) -> Any:
        from faster_coco_eval import COCOeval_faster

        evaluator = COCOeval_faster(*self._pair, iouType="bbox", separate_eval=True)
        evaluator.params.iouThrs = iou_thresholds
        evaluator.params.maxDets = [MAX_DETECTIONS]
        evaluator.params.areaRng = [[0.0, float("inf")]]
        evaluator.params.areaRngLbl = ["all"]
        evaluator.evaluate()
        return evaluator


def _coco_pair(
    truth: Boxes, detections: Detections, *, images: int, labels: int
) -> tuple[Any, Any]:
    """Ground truth and detections as the library's own objects; ids count from 1."""
    from faster_coco_eval import COCO

    sizes = truth.xyxy[:, 2:] - truth.xyxy[:, :2]
    objects = zip(
        truth.image.tolist(),
        truth.label.tolist(),
        np.hstack([truth.xyxy[:, :2], sizes]).tolist(),
        sizes.prod(axis=1).tolist(),
        strict=True,
    )
    known = COCO(
        {
            "images": [{"id": i} for i in range(images)],
            "categories": [{"id": k, "name": str(k)} for k in range(labels)],
            "annotations": [
                {"id": n, "image_id": i, "category_id": k, "bbox": box, "area": area, "iscrowd": 0}
                for n, (i, k, box, area) in enumerate(objects, start=1)
            ],
        }
    )
    xywh = np.hstack([detections.xyxy[:, :2], detections.xyxy[:, 2:] - detections.xyxy[:, :2]])
    found = zip(
        detections.image.tolist(),
        detections.label.tolist(),
        xywh.tolist(),
        detections.score.tolist(),
        strict=True,
    )
    return known, known.loadRes(
        [{"image_id": i, "category_id": k, "bbox": b, "score": s} for i, k, b, s in found]
    )
