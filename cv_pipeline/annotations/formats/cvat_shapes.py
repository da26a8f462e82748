"""Shapes of CVAT's XML: boxes that may be turned, polygons, masks, points and skeletons.

A mask is run lengths row by row of a part of the image. Numbers are pixels, a box's angle is
clockwise degrees about its centre, as here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cv_pipeline.annotations.formats.xml_file import quoted
from cv_pipeline.annotations.geometry import (
    BadShape,
    KeyPoint,
    KeyPoints,
    Mask,
    Polygon,
    RotatedBox,
    keypoints,
    polygon,
    read_shape,
    rotated_box,
)
from cv_pipeline.annotations.geometry.masks import mask_of_polygon, rows_of_crop
from cv_pipeline.annotations.geometry.parts import MaskPart
from cv_pipeline.annotations.geometry.run_lengths import (
    bounds_of_runs,
    check_runs,
    check_size,
    mask_of_runs,
)
from cv_pipeline.annotations.values import as_number, as_text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element  # the type alone; parsing is defusedxml's

SHAPES = frozenset({"box", "polygon", "mask", "points", "skeleton"})
OTHERS = frozenset({"polyline", "ellipse", "cuboid"})
"""Shapes that are refused."""

Edges = tuple[float, float, float, float]


def shape_of(node: Element, size: tuple[int, int] | None) -> tuple[str, Edges | None, str | None]:
    """Kind, edges of an upright box, and geometry of another shape.

    Args:
        node: the element.
        size: height and width of the image, which a mask needs.

    Raises:
        BadShape: it is none that is read, or is wrong.
    """
    match node.tag:
        case "box":
            left, top, right, bottom = (_number(node, e) for e in ("xtl", "ytl", "xbr", "ybr"))
            angle = _number(node, "rotation") if node.get("rotation") else 0.0
            if angle == 0:
                return "bbox", (left, top, right, bottom), None
            center = (left + right) / 2, (top + bottom) / 2
            turned = rotated_box(center, (right - left, bottom - top), angle)
            return "rotated_box", None, turned.text
        case "polygon":
            return "polygon", None, polygon([_places(node)]).text
        case "mask":
            return "mask", None, _mask(node, size).text
        case "points":
            places = _places(node)
            named = [KeyPoint(str(n + 1), x, y) for n, (x, y) in enumerate(places)]
            return "keypoints", None, keypoints(named).text
        case "skeleton":
            return "keypoints", None, keypoints(map(_point, node.findall("points"))).text
    raise BadShape(
        "unsupported_shape",
        f"Boxes, polygons, masks, points and skeletons are read, not <{node.tag[:60]}>.",
    )


def _number(node: Element, name: str) -> float:
    number = as_number(node.get(name))
    if number is None:
        raise BadShape("bad_box", f"Expected a number {name}, found {repr(node.get(name))[:60]}.")
    return number


def _places(node: Element) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for text in (node.get("points") or "").split(";"):
        numbers = [as_number(v) for v in text.split(",")]
        match numbers:
            case [float(x), float(y)]:
                found.append((x, y))
            case _:
                raise BadShape("bad_points", f"Expected x,y;x,y…, found {text[:60]!r}.")
    return found


def _point(node: Element) -> KeyPoint:
    name = as_text(node.get("label"))
    if name is None:
        raise BadShape("missing_label", "A point of a skeleton without a name.")
    if node.get("outside") == "1":
        return KeyPoint(name, 0.0, 0.0, 0)
    ((x, y),) = _places(node)[:1]
    return KeyPoint(name, x, y, 1 if node.get("occluded") == "1" else 2)


def _mask(node: Element, size: tuple[int, int] | None) -> MaskPart:
    if size is None:
        raise BadShape("missing_size", "A mask needs the size of its image.")
    sides = [_number(node, n) for n in ("left", "top", "width", "height")]
    if not all(map(math.isfinite, sides)):
        raise BadShape("not_finite", "Not finite numbers.")
    left, top, width, height = (int(side) for side in sides)
    counts = [as_number(v) for v in (node.get("rle") or "").split(",")]
    whole = [int(n) for n in counts if n is not None and n.is_integer()]
    if len(whole) != len(counts):
        raise BadShape("bad_mask", "Run lengths that are not whole numbers.")
    check_size(height, width)
    return MaskPart(size, (top, left), (height, width), check_runs(whole, width * height))


def element_of(
    row: Mapping[str, Any], size: tuple[int, int]
) -> tuple[str, Mapping[str, str], Sequence[str]]:
    """Name, attributes and inner elements of a label's shape.

    Args:
        row: of ``EXPORT_LABELS``.
        size: height and width of the image.
    """
    if row["kind"] in ("class", "tag"):
        return "tag", {}, ()
    shape = None if row["geometry"] is None else read_shape(row["kind"], row["geometry"])
    match shape:
        case RotatedBox(center=(x, y), size=(width, height)):
            edges = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
            return "box", _box(edges) | {"rotation": repr(shape.angle)}, ()
        case Polygon(rings=[ring]):
            return "polygon", {"points": ";".join(f"{x!r},{y!r}" for x, y in ring)}, ()
        case Polygon():
            return "mask", _rows(mask_of_polygon(shape, size)), ()
        case Mask():
            return "mask", _rows(shape), ()
        case KeyPoints():
            return "skeleton", {}, [_point_element(p) for p in shape.points]
    return "box", _box([row[e] for e in ("x_min", "y_min", "x_max", "y_max")]), ()


def _box(edges: Sequence[float]) -> dict[str, str]:
    return dict(zip(("xtl", "ytl", "xbr", "ybr"), map(repr, edges), strict=True))


def _rows(shape: Mask) -> dict[str, str]:
    left, top, right, bottom = bounds_of_runs(shape.counts, shape.size[0])
    crop = np.ascontiguousarray(mask_of_runs(shape.counts, shape.size)[top:bottom, left:right])
    return {
        "rle": ", ".join(map(str, rows_of_crop(crop).tolist())),
        "left": str(left),
        "top": str(top),
        "width": str(right - left),
        "height": str(bottom - top),
    }


def _point_element(point: KeyPoint) -> str:
    hidden = int(point.visible == 1)
    return (
        f'<points label={quoted(point.name)} outside="0" occluded="{hidden}"'
        f' points="{point.x!r},{point.y!r}"/>'
    )
