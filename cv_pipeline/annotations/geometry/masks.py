"""Masks made of polygons and of crops, and polygons made of masks.

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
    check_runs,
    check_size,
    line_of_runs,
    mask_of_runs,
    runs_of_line,
    runs_of_mask,
)
from cv_pipeline.annotations.geometry.shape import Mask, Polygon, Ring, polygon


def mask_of_polygon(shape: Polygon, size: tuple[int, int]) -> Mask:
    """The pixels in a polygon, without those in its holes.

    Args:
        shape: the polygon, within the image.
        size: height and width of the image.
    """
    from faster_coco_eval.core import mask as coco_mask

    check_size(*size)
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


def mask_of_crop(crop: NDArray[np.bool_], *, left: int, top: int, size: tuple[int, int]) -> Mask:
    """A mask of which only a part (bool, height × width) is given.

    Raises:
        BadShape: the part reaches out of the image, or the image is too large.
    """
    check_size(*size)
    high, wide = crop.shape
    if left < 0 or top < 0 or top + high > size[0] or left + wide > size[1]:
        raise BadShape(
            "out_of_frame_shape",
            f"A mask of {wide}×{high} pixels at ({left}, {top}) in an image of"
            f" {size[1]}×{size[0]}.",
        )
    whole = np.zeros(size, dtype=bool)
    whole[top : top + high, left : left + wide] = crop
    return Mask(size, runs_of_mask(whole))


def crop_of_rows(counts: list[int], *, width: int, height: int) -> NDArray[np.bool_]:
    """The mask that run lengths row by row give, first of the pixels outside.

    Raises:
        BadShape: they do not add up to its size.
    """
    check_size(height, width)
    return line_of_runs(check_runs(counts, width * height)).reshape(height, width)


def rows_of_crop(crop: NDArray[np.bool_]) -> Runs:
    """Run lengths of a mask row by row, first of the pixels outside."""
    return runs_of_line(crop.ravel())
