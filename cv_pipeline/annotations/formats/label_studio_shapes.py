"""Shapes of Label Studio's regions, in percent of the image, and ours, in pixels.

A rectangle is turned about its top left corner there, and about its centre here. A brush is run
lengths of a whole picture. What cannot be a shape is refused with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cv_pipeline.annotations.geometry import (
    BadShape,
    KeyPoint,
    Mask,
    Polygon,
    RotatedBox,
    keypoints,
    polygon,
    rotated_box,
)
from cv_pipeline.annotations.geometry.brush import brush_of_mask, part_of_brush
from cv_pipeline.annotations.geometry.masks import mask_of_polygon
from cv_pipeline.annotations.geometry.run_lengths import mask_of_runs
from cv_pipeline.annotations.geometry.shape import MOST_POINTS
from cv_pipeline.annotations.values import as_number, as_size

_OVER = 100.0 + 1e-3  # drawing to the very edge is stored with rounding errors
_SIDES = ("x", "y", "width", "height")

Value = Mapping[str, Any]


@dataclass(frozen=True)
class Drawn:
    """A region's shape.

    Attributes:
        kind: geometry kind.
        edges: left, top, right and bottom edge of a box; None where the geometry says it.
        geometry: canonical JSON; None for an upright box.
        size: width and height of the image, in pixels; None where the region does not say: then
            coordinates are shares of the image's sides.
    """

    kind: str
    edges: tuple[float, float, float, float] | None
    geometry: str | None
    size: tuple[int, int] | None


class BadValue(BadShape):
    """A part of a value is wrong.

    Args:
        where: the part, such as ``x``.
        reason: in a word.
        detail: in a sentence.
    """

    def __init__(self, where: str, reason: str, detail: str) -> None:
        self.where = where
        super().__init__(reason, detail)


def drawn_shape(kind: str, value: Value, entry: Value) -> Drawn:
    """The shape of a region.

    Args:
        kind: type of its result, such as ``rectanglelabels``.
        value: its value.
        entry: the whole result.

    Raises:
        BadShape: it is none that is read, or is wrong.
    """
    width, height = (as_size(entry.get(f"original_{side}")) for side in ("width", "height"))
    size = (width, height) if width is not None and height is not None else None
    turned = entry.get("image_rotation")
    if turned is not None and as_number(turned) != 0:
        raise BadValue(
            "image_rotation",
            "rotated_image",
            f"The image was turned by {repr(turned)[:20]} degrees; only upright ones are read.",
        )
    if kind in ("rectangle", "rectanglelabels") or (kind == "labels" and "width" in value):
        return _rectangle(value, size)
    if kind in ("polygon", "polygonlabels") or (kind == "labels" and "points" in value):
        # one point more than is read is enough to be refused
        listed = _points(value)[: MOST_POINTS + 1]
        points = [point_of(p, size, f"points[{i}]") for i, p in enumerate(listed)]
        return Drawn("polygon", None, polygon([points]).text, size)
    if kind in ("brush", "brushlabels") or (kind == "labels" and "rle" in value):
        return _brush(value, size)
    if kind in ("keypoint", "keypointlabels"):
        raise BadShape("missing_label", "A point without a name.")
    raise BadValue(
        "", "unsupported_shape", f"Rectangles, polygons, brushes and points are read, not {kind!r}."
    )


def point_of(value: object, size: tuple[int, int] | None, where: str = "") -> tuple[float, float]:
    """A point given in percent, in pixels or, without a size, as shares.

    Raises:
        BadValue: it is none.
    """
    parts = [value.get("x"), value.get("y")] if isinstance(value, Mapping) else value
    if not isinstance(parts, Sequence) or isinstance(parts, str) or len(parts) != 2:
        raise BadValue(where, "bad_box", f"Expected a point, found {repr(value)[:60]}.")
    x, y = (_percent(part, where) for part in parts)
    across, down = size or (1, 1)
    return x / 100 * across, y / 100 * down


def _points(value: Value) -> list[Any]:
    points = value.get("points")
    if not isinstance(points, list):
        raise BadValue("points", "bad_box", "Expected a list of points.")
    return points


def _percent(value: object, where: str) -> float:
    number = as_number(value)
    if number is None:
        raise BadValue(where, "bad_box", f"Expected a number, found {repr(value)[:60]}.")
    if number > _OVER:
        raise BadValue(
            where,
            "percent_over_100",
            f"Expected percent of the image, found {number:g}: are these pixels?",
        )
    return number


def _rectangle(value: Value, size: tuple[int, int] | None) -> Drawn:
    x, y, wide, high = (_percent(value.get(side), side) for side in _SIDES)
    across, down = size or (1, 1)
    rotation = value.get("rotation")
    angle = 0.0 if rotation is None else as_number(rotation)
    if angle is None:
        raise BadValue("rotation", "bad_box", f"Expected degrees, found {repr(rotation)[:20]}.")
    left, top = x / 100 * across, y / 100 * down
    if angle == 0:
        edges = (left, top, (x + wide) / 100 * across, (y + high) / 100 * down)
        return Drawn("bbox", edges, None, size)
    if size is None:
        raise BadValue(
            "rotation",
            "missing_size",
            "A turned rectangle needs original_width and original_height.",
        )
    sides = wide / 100 * across, high / 100 * down
    about = rotated_box((0.0, 0.0), sides, angle)
    corner = about.corners[0]
    center = left - corner[0], top - corner[1]
    return Drawn("rotated_box", None, rotated_box(center, sides, angle).text, size)


def _brush(value: Value, size: tuple[int, int] | None) -> Drawn:
    rle = value.get("rle")
    if value.get("format") not in (None, "rle") or not isinstance(rle, list):
        raise BadValue("rle", "bad_mask", "Expected run lengths.")
    if size is None:
        raise BadValue("rle", "missing_size", "A brush needs original_width and original_height.")
    return Drawn("mask", None, part_of_brush(rle, size=(size[1], size[0])).text, size)


def points_text(points: Sequence[tuple[str, tuple[float, float], int]]) -> str:
    """Canonical JSON of points, each with name, place and visibility.

    Raises:
        BadShape: two have one name.
    """
    return keypoints(KeyPoint(name, x, y, seen) for name, (x, y), seen in points).text


def rectangle_value(edges: Sequence[float], *, width: int, height: int) -> dict[str, float]:
    """Value of an upright rectangle."""
    x_min, y_min, x_max, y_max = edges
    return {
        "x": x_min / width * 100,
        "y": y_min / height * 100,
        "width": (x_max - x_min) / width * 100,
        "height": (y_max - y_min) / height * 100,
        "rotation": 0,
    }


def turned_value(box: RotatedBox, *, width: int, height: int) -> dict[str, float]:
    """Value of a turned rectangle."""
    x, y = box.corners[0]
    return {
        "x": x / width * 100,
        "y": y / height * 100,
        "width": box.size[0] / width * 100,
        "height": box.size[1] / height * 100,
        "rotation": box.angle,
    }


def polygon_value(shape: Polygon, *, width: int, height: int) -> dict[str, Any]:
    """Value of a polygon of one ring."""
    (ring,) = shape.rings
    points = [[x / width * 100, y / height * 100] for x, y in ring]
    return {"points": points, "closed": True}


def brush_value(shape: Mask | Polygon, *, width: int, height: int) -> dict[str, Any]:
    """Value of a brush; a polygon is filled."""
    mask = shape if isinstance(shape, Mask) else mask_of_polygon(shape, (height, width))
    return {"format": "rle", "rle": brush_of_mask(mask_of_runs(mask.counts, mask.size))}
