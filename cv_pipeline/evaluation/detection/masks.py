"""Overlap of masks as run-length codes, by the mask library of COCO.

A polygon, or run lengths in the clear, become compressed run lengths of the image's size, as
pycocotools has it; the union of an object's polygons is the object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.detection.boxes import Boxes
from cv_pipeline.evaluation.detection.overlap import BACKGROUND_IOU, Pairs, joined

RunLengths = dict[str, Any]
"""``size`` (height, width) and compressed ``counts``."""

FURTHEST = 1e6
"""Pixels beyond which no corner of a polygon is: its outline is walked pixel by pixel."""


def run_lengths(segmentation: Any, *, width: int, height: int) -> RunLengths:
    """A segmentation of a COCO file as compressed run lengths.

    Args:
        segmentation: polygons, or run lengths, compressed or not.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Raises:
        ValueError: it is neither, or not of the image's size.
    """
    from faster_coco_eval.core import mask
    from faster_coco_eval.mask_api_new_cpp import toUncompressedRLE

    if isinstance(segmentation, dict):
        if not {"size", "counts"} <= set(segmentation):
            raise ValueError("run lengths are {size, counts}")
        if segmentation["size"] != [height, width]:
            raise ValueError(
                f"a mask of {segmentation['size']} for an image of height and width"
                f" {[height, width]}"
            )
    elif not _polygons(segmentation):
        raise ValueError("polygons are lists [x, y, …] of at least three corners, in pixels")
    try:
        made: RunLengths = mask.segmToRle(segmentation, width, height)
        covered = sum(toUncompressedRLE([made])[0]["counts"])
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(str(error).splitlines()[0]) from error
    if covered != width * height:
        raise ValueError(f"run lengths of {covered} pixels for an image of {width * height}")
    return made


def _polygons(segmentation: Any) -> bool:
    return (
        isinstance(segmentation, list)
        and len(segmentation) > 0
        and all(
            isinstance(part, list)
            and len(part) >= 6
            and len(part) % 2 == 0
            and {type(value) for value in part} <= {int, float}
            and all(abs(value) <= FURTHEST for value in part)  # false for NaN
            for part in segmentation
        )
    )


def mask_areas(masks: Sequence[RunLengths]) -> NDArray[np.float64]:
    """(n,) square pixels of each mask."""
    from faster_coco_eval.core import mask

    if not masks:
        return np.empty(0)
    return np.asarray(mask.area(list(masks)), dtype=np.float64)


def mask_pairs(
    truth: Boxes,
    detections: Boxes,
    *,
    truth_masks: Sequence[RunLengths],
    masks: Sequence[RunLengths],
) -> Pairs:
    """Pairs of masks with an IoU of at least 0.1.

    Args:
        truth: objects.
        detections: of the same images.
        truth_masks: the mask of each object.
        masks: the mask of each detection.
    """
    from faster_coco_eval.core import mask

    of_image = _by_image(truth.image)
    found = []
    for image, rows in _by_image(detections.image).items():
        there = of_image.get(image)
        if there is None:
            continue
        iou = np.asarray(
            mask.iou(
                [masks[n] for n in rows.tolist()],
                [truth_masks[n] for n in there.tolist()],
                truth.crowd[there].astype(int).tolist(),
            )
        ).reshape(len(rows), len(there))
        d, t = np.nonzero(iou >= BACKGROUND_IOU)
        found.append(Pairs(rows[d], there[t], iou[d, t]))
    pairs = joined(found)
    return pairs.take(np.argsort(pairs.detection, kind="stable"))


def _by_image(image: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Image to the ascending rows that are of it."""
    order = np.argsort(image, kind="stable")
    if len(order) == 0:
        return {}
    starts = np.flatnonzero(np.append(True, np.diff(image[order]) != 0))
    return dict(zip(image[order][starts].tolist(), np.split(order, starts[1:]), strict=True))
