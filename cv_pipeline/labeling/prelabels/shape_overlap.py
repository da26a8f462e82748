"""How far two drawn objects are the same: overlap of their areas, or likeness of their key points.

Areas (boxes, turned boxes, polygons, masks) overlap by intersection over union; two masks by their
pixels, others on a grid as fine as needed; what lies beyond the image of a mask does not count. Key
points are alike by COCO's object key point similarity. Both go from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.annotations.geometry import KeyPoints, Mask, Polygon, RotatedBox, Shape
from cv_pipeline.annotations.geometry.run_lengths import encode_counts, mask_of_runs

GRID = 512
"""Cells along the longer side of what is compared on a grid."""
SIGMA = 0.067
"""Spread of a key point, as a share of its object's size: the mean of those of COCO's 17 points of
people, of which there are none for points of other things."""
_ROUNDED = 0.01
"""Pixels by which corners may differ that the tool has only rounded."""
_FAR = float(1 << 20)
"""Cells beyond which a corner is as good as at that place."""


@dataclass(frozen=True)
class Drawn:
    """An object with an area, or with key points.

    Attributes:
        edges: left, top, right and bottom edge of its bounds.
        shape: what it is beyond these; None for an upright box.
    """

    edges: tuple[float, float, float, float]
    shape: Shape | None = None


def overlap(one: Drawn, other: Drawn) -> float:
    """How far two objects are the same; 0 where one has key points and the other an area."""
    a, b = one.shape, other.shape
    if isinstance(a, KeyPoints) or isinstance(b, KeyPoints):
        if not (isinstance(a, KeyPoints) and isinstance(b, KeyPoints)):
            return 0.0
        return likeness(a, b, area=max(_area(one.edges), _area(other.edges)))
    if isinstance(a, Mask) and isinstance(b, Mask):
        return _of_masks(a, b)
    if _same_rings(one, other):
        return 1.0
    return _on_a_grid(one, other)


def likeness(a: KeyPoints, b: KeyPoints, *, area: float) -> float:
    """Object key point similarity: of points that only one side has, it is none.

    Args:
        a: points.
        b: points.
        area: square pixels of the object.
    """
    there = {p.name: p for p in b.points}
    names = {p.name for p in a.points} | set(there)
    spread = 2.0 * area * (2.0 * SIGMA) ** 2
    alike = 0.0
    for p in a.points:
        if p.name in there:
            q = there[p.name]
            alike += float(np.exp(-((p.x - q.x) ** 2 + (p.y - q.y) ** 2) / max(spread, 1e-9)))
    return alike / len(names)


def _area(edges: tuple[float, float, float, float]) -> float:
    return max(edges[2] - edges[0], 0.0) * max(edges[3] - edges[1], 0.0)


def _of_masks(a: Mask, b: Mask) -> float:
    from faster_coco_eval.core import mask as coco_mask

    if a.size != b.size:
        return 0.0
    one, other = ({"size": list(m.size), "counts": encode_counts(m.counts)} for m in (a, b))
    return float(coco_mask.iou([one], [other], [0])[0][0])


def _rings(drawn: Drawn) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Outlines of the area, and of the holes in it."""
    match drawn.shape:
        case Polygon() as shape:
            rings = [np.array(ring, np.float64) for ring in shape.rings]
            outer = [r for k, r in enumerate(rings) if k not in shape.holes]
            return outer, [rings[k] for k in shape.holes]
        case RotatedBox() as shape:
            return [np.array(shape.corners, np.float64)], []
        case _:
            left, top, right, bottom = drawn.edges
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            return [np.array(corners, np.float64)], []


def _same_rings(one: Drawn, other: Drawn) -> bool:
    """Whether outlines are the same but for rounding."""
    if isinstance(one.shape, Mask) or isinstance(other.shape, Mask):
        return False
    a, b = ([ring for part in _rings(d) for ring in part] for d in (one, other))
    return len(a) == len(b) and all(
        p.shape == q.shape and np.abs(p - q).max() <= _ROUNDED for p, q in zip(a, b, strict=True)
    )


def _on_a_grid(one: Drawn, other: Drawn) -> float:
    edges = np.array([one.edges, other.edges])
    low, high = np.floor(edges[:, :2].min(axis=0)), np.ceil(edges[:, 2:].max(axis=0))
    for shape in (one.shape, other.shape):
        if isinstance(shape, Mask):  # whose pixels are all there are
            size = np.array([shape.size[1], shape.size[0]], np.float64)
            low, high = np.clip(low, 0, size), np.clip(high, 0, size)
            if (high <= low).any():
                return 0.0
    if not np.isfinite([low, high]).all():
        return 0.0
    long_side = max(float((high - low).max()), 1.0)
    scale = GRID / long_side
    if isinstance(one.shape, Mask) or isinstance(other.shape, Mask):
        scale = max(1, int(scale))  # whole cells for a pixel
    a, b = (_filled(d, low, high, scale) for d in (one, other))
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 0.0


def _filled(
    drawn: Drawn, low: NDArray[np.float64], high: NDArray[np.float64], scale: float
) -> NDArray[np.bool_]:
    """The cells of a grid between two corners that an area covers."""
    import cv2

    wide, tall = np.maximum(np.round((high - low) * scale), 1).astype(int).tolist()
    if isinstance(drawn.shape, Mask):
        (left, top), (right, bottom) = low.astype(int).tolist(), high.astype(int).tolist()
        pixels = mask_of_runs(drawn.shape.counts, drawn.shape.size)[top:bottom, left:right]
        side = int(scale)
        return np.repeat(np.repeat(pixels, side, axis=0), side, axis=1)
    outer, holes = _rings(drawn)
    grid = np.zeros((tall, wide), np.uint8)
    for rings, value in ((outer, 1), (holes, 0)):
        for ring in rings:
            # cells are known by their middles there, and places by 1/256 of a cell
            cells = np.clip((ring - low) * scale - 0.5, -_FAR, _FAR)
            cv2.fillPoly(grid, [np.round(cells * 256).astype(np.int32)], value, shift=8)
    return grid.astype(bool)
