"""Masks made of polygons, polygons made of masks, and the rows of a part of a mask.

Polygons are filled as COCO's own tools fill them, by faster-coco-eval; masks are traced by OpenCV
along the outer edges of their pixels, so that filling what was traced gives the mask back but for
single pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.annotations.geometry.run_lengths import (
    BadShape,
    Runs,
    check_size,
    mask_of_runs,
    runs_of_line,
    runs_of_mask,
)
from cv_pipeline.annotations.geometry.shape import Mask, Polygon, Ring, polygon

MOST_OUTLINE = 1 << 21
"""Pixels along the outline of the longest polygon that is filled: filling takes memory for each."""


def mask_of_polygon(shape: Polygon, size: tuple[int, int]) -> Mask:
    """The pixels in a polygon, without those in its holes.

    Args:
        shape: the polygon, within the image.
        size: height and width of the image.

    Raises:
        BadShape: its outline is too long, or the image too large.
    """
    from faster_coco_eval.core import mask as coco_mask

    check_size(*size)
    sides = [np.abs(np.diff([*ring, ring[0]], axis=0)).max(axis=1).sum() for ring in shape.rings]
    if not sum(sides) <= MOST_OUTLINE:
        raise BadShape("outline_too_long", f"{MOST_OUTLINE} pixels of outline are filled at most.")
    height, width = size
    outer = [r for k, r in enumerate(shape.rings) if k not in shape.holes]
    inner = [shape.rings[k] for k in shape.holes]

    def filled(rings: list[Ring]) -> NDArray[np.bool_]:
        flat = [[v for place in ring for v in place] for ring in rings]
        runs = coco_mask.merge(coco_mask.frPyObjects(flat, height, width))
        return np.asarray(coco_mask.decode(runs), dtype=bool)

    found = filled(outer)
    if inner:
        found &= ~filled(inner)
    return Mask(size, runs_of_mask(found))


def polygon_of_mask(shape: Mask) -> Polygon:
    """The outlines of a mask, along the outer edges of its pixels, with its holes.

    Raises:
        BadShape: the mask has no pixel.
    """
    import cv2

    pixels = mask_of_runs(shape.counts, shape.size)
    if not pixels.any():
        raise BadShape("zero_area_shape", "It has no pixel.")
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    crop = pixels[top : rows[-1] + 1, left : columns[-1] + 1].astype(np.uint8)
    # at three times the size the middle of a pixel's outermost third lies 1/6 inside its edge
    large = np.kron(crop, np.ones((3, 3), np.uint8))
    found, tree = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings: list[NDArray[np.float64]] = []
    holes: list[int] = []
    for contour, place in zip(found, tree[0], strict=True):
        ring = contour[:, 0, :].astype(np.float64)
        # thirds: 0, 1 and 2 are in a pixel, whose edges are at 0 and 3
        edges = np.round(ring / 3.0)
        if len(np.unique(edges, axis=0)) < 3:
            continue
        if place[3] >= 0:
            holes.append(len(rings))
        rings.append(edges + np.array([left, top]))
    return polygon((ring.tolist() for ring in rings), holes)


def rows_of_crop(crop: NDArray[np.bool_]) -> Runs:
    """Run lengths of a mask row by row, first of the pixels outside."""
    return runs_of_line(crop.ravel())
