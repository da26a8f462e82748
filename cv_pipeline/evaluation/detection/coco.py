"""COCO's evaluation: detections matched once, at ten IoU thresholds, for any subset of the images.

Agrees with pycocotools. Objects outside a range of areas are ignored, as crowds are, and so each
range has a matching of its own; those of small, medium and large are made when they are asked for.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.detection.matching import greedy_matches
from cv_pipeline.evaluation.detection.overlap import Pairs, box_pairs
from cv_pipeline.evaluation.detection.ranking import Ranking

IOU_THRESHOLDS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
MAX_DETECTIONS = 100
AREA_RANGES = {
    "all": (0.0, np.inf),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, np.inf),
}
"""Square pixels, both ends within."""

IOU_50 = 0
IOU_75 = 5


class CocoEvaluation:
    """The evaluation of one set of images.

    Args:
        truth: objects of the images 0 … ``images`` - 1.
        detections: of the same images, in the order that breaks ties of scores, and no more of an
            image and class than count.
        images: number of images.
        labels: number of classes.
        pairs: which detections overlap which objects; that of their boxes if not given.
    """

    def __init__(
        self,
        truth: Boxes,
        detections: Detections,
        *,
        images: int,
        labels: int,
        pairs: Pairs | None = None,
    ) -> None:
        self.truth = truth
        self.detections = detections
        self._images = images
        self._labels = labels
        self._rankings: dict[str, Ranking] = {}
        self.pairs = box_pairs(truth, detections) if pairs is None else pairs

    @cached_property
    def matched(self) -> NDArray[np.int32]:
        """(detections, 10) object that each is matched with at each IoU threshold; -1 for none."""
        return self._match(self.truth.crowd)

    def matches(self) -> NDArray[np.int32]:
        """Which object each detection is matched with at IoU 0.5; -1 for none.

        Matching is greedy by descending score, so leaving out the detections below a score does
        not change the matches of the others.

        Returns:
            (detections,) int32 index into the truth; also of crowds.
        """
        return self.matched[:, IOU_50]

    def average_precision(self, images: NDArray[np.int64]) -> NDArray[np.float64]:
        """Average precision over these images.

        The mean of precision at 101 recall points, as COCO defines it.

        Args:
            images: indices, sorted.

        Returns:
            (labels, 10) float64 by class and IoU threshold; NaN for a class without ground truth
            in these images.
        """
        return self.ranking().average_precision(self.once(images))

    def once(self, images: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """(images,) weight 1 for these images and 0 for the others; None where that is all."""
        if len(images) == self._images:
            return None
        weights = np.zeros(self._images, dtype=np.int64)
        weights[images] = 1
        return weights

    def ranking(self, area: str = "all") -> Ranking:
        """Detections by score, with objects outside a range of areas ignored.

        Args:
            area: one of AREA_RANGES.
        """
        if area not in self._rankings:
            low, high = AREA_RANGES[area]
            outside, off = (
                (boxes.area < low) | (boxes.area > high) for boxes in (self.truth, self.detections)
            )
            left_out = outside | self.truth.crowd
            matched = self.matched if area == "all" else self._match(left_out)
            hit = matched >= 0
            # At least one entry, which stands for "none" and is masked by hit.
            of_left_out = hit & np.append(left_out, False)[matched]
            self._rankings[area] = Ranking(
                self.truth.take(~left_out),
                self.detections,
                found=hit & ~of_left_out,
                ignored=of_left_out | (~hit & off[:, None]),
                labels=self._labels,
            )
        return self._rankings[area]

    def _match(self, ignored: NDArray[np.bool_]) -> NDArray[np.int32]:
        same = self.detections.label[self.pairs.detection] == self.truth.label[self.pairs.truth]
        return greedy_matches(
            self.pairs.take(same),
            score=self.detections.score,
            group=self.detections.image * self._labels + self.detections.label,
            thresholds=IOU_THRESHOLDS,
            ignored=ignored,
            crowd=self.truth.crowd,
        )
