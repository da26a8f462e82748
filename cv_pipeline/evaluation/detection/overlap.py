"""Which detections overlap which objects, as a sparse list of pairs.

Nothing is ever held for all images times all images, and of the pairs within an image only those
that overlap enough to matter. Every later step (matching, kinds of error, confusion) reads these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.boxes import Boxes

BACKGROUND_IOU = 0.1
"""Overlap below which a detection is of the background (Bolya et al. 2020); no pair is kept."""

_CHUNK = 2_000_000


@dataclass(frozen=True)
class Pairs:
    """A detection and an object of the same image, of any classes, that overlap.

    Attributes:
        detection: (n,) index of the detection; sorted.
        truth: (n,) index of the object; sorted within a detection.
        iou: (n,) intersection over union; over a crowd, intersection over the detection's area.
    """

    detection: NDArray[np.int64]
    truth: NDArray[np.int64]
    iou: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.detection)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """The pairs at these rows, or where a mask is true."""
        return type(self)(self.detection[rows], self.truth[rows], self.iou[rows])


def box_pairs(truth: Boxes, detections: Boxes) -> Pairs:
    """Pairs of boxes with an IoU of at least 0.1.

    The arithmetic is that of pycocotools, on float64 corners and sizes, so that an overlap which
    lies on a threshold falls on the same side of it.

    Args:
        truth: objects.
        detections: of the same images.
    """
    found = []
    for d, t in same_image(truth, detections):
        corners = [np.maximum(detections.xyxy[d, axis], truth.xyxy[t, axis]) for axis in (0, 1)]
        sides = [
            np.minimum(
                detections.xyxy[d, axis] + detections.sizes[d, axis],
                truth.xyxy[t, axis] + truth.sizes[t, axis],
            )
            - corners[axis]
            for axis in (0, 1)
        ]
        meet = (sides[0] > 0) & (sides[1] > 0)
        d, t = d[meet], t[meet]
        shared = sides[0][meet] * sides[1][meet]
        own = detections.sizes[d].prod(axis=1)
        union = np.where(truth.crowd[t], own, own + truth.sizes[t].prod(axis=1) - shared)
        iou = shared / union
        enough = iou >= BACKGROUND_IOU
        found.append(Pairs(d[enough], t[enough], iou[enough]))
    return joined(found)


def same_image(
    truth: Boxes, detections: Boxes
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Indices of all detections and objects that share an image, some million pairs at a time.

    Yields:
        Detection, ascending over all parts, and object, ascending within a detection.
    """
    size = int(max(truth.image.max(initial=-1), detections.image.max(initial=-1))) + 1
    order = np.argsort(truth.image, kind="stable")
    holding = np.bincount(truth.image, minlength=size)
    first = np.cumsum(holding) - holding
    count = holding[detections.image]
    reach = np.cumsum(count)
    low = 0
    while low < len(count):
        before = int(reach[low - 1]) if low else 0
        high = max(low + 1, int(np.searchsorted(reach, before + _CHUNK, side="right")))
        of = count[low:high]
        detection = np.repeat(np.arange(low, high), of)
        within = np.arange(len(detection)) - np.repeat(np.cumsum(of) - of, of)
        yield detection, order[np.repeat(first[detections.image[low:high]], of) + within]
        low = high


def joined(parts: list[Pairs]) -> Pairs:
    """Pairs of successive ranges of detections, as one."""
    if not parts:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    return Pairs(
        np.concatenate([p.detection for p in parts]),
        np.concatenate([p.truth for p in parts]),
        np.concatenate([p.iou for p in parts]),
    )
