"""Shapes against their images: scaled to pixels, clipped by at most one, or refused with a reason.

All shapes of a kind are looked at together, as arrays. What passes has bounds within the image
and canonical text; what does not is named. A polygon that crosses itself is reported and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.annotations.geometry.crossings import crosses_itself
from cv_pipeline.annotations.geometry.masks import MOST_OUTLINE
from cv_pipeline.annotations.geometry.parts import is_part, said_size, whole_mask
from cv_pipeline.annotations.geometry.run_lengths import (
    BadShape,
    area_of_runs,
    bounds_of_runs,
)
from cv_pipeline.annotations.geometry.shape import (
    KeyPoints,
    Mask,
    Polygon,
    RotatedBox,
    Shape,
    box_of_corners,
    polygon,
    read_corners,
    read_shape,
)

CLIPPED_PIXELS = 1.0
"""A shape may reach this far out of its image: it is clipped. Further out it is refused."""

Floats = NDArray[np.float64]
_OneKind = TypeVar("_OneKind", RotatedBox, Polygon, Mask, KeyPoints)


@dataclass
class Settled:
    """What became of some shapes; the lists and arrays are parallel to them.

    Attributes:
        kinds: geometry kinds: a box that is not turned is a ``bbox``, corners that are no
            rectangle's a ``polygon``.
        texts: canonical JSON; None for a ``bbox``, and for what is refused.
        bounds: left, top, right and bottom edge (n × 4); NaN for what is refused.
        refused: place of a shape to why it is refused.
        reported: place of a shape to what is to be said of it, which is kept.
    """

    kinds: list[str]
    texts: list[str | None]
    bounds: Floats
    refused: dict[int, BadShape] = field(default_factory=dict)
    reported: dict[int, BadShape] = field(default_factory=dict)


def settle(
    kinds: Sequence[str],
    texts: Sequence[str | None],
    *,
    sizes: Floats,
    scaled: NDArray[np.bool_],
    point_names: Mapping[int, Collection[str]] | None = None,
) -> Settled:
    """Look at shapes.

    Args:
        kinds: their geometry kinds, none of which is ``bbox``, ``class`` or ``tag``.
        texts: their JSON.
        sizes: width and height of the image of each (n × 2).
        scaled: which have coordinates that are shares of the image's sides.
        point_names: place of an object to the names that its key points may have.
    """
    n = len(texts)
    done = Settled(list(kinds), [None] * n, np.full((n, 4), np.nan))
    shapes: dict[int, Shape] = {}
    for place, (kind, text) in enumerate(zip(kinds, texts, strict=True)):
        try:
            if kind == "mask":
                shape = _mask(text or "", sizes[place])
            elif scaled[place]:
                shape = _in_pixels(kind, text or "", sizes[place])
            else:
                shape = read_shape(kind, text or "")
        except BadShape as error:
            done.refused[place] = error
            continue
        shapes[place] = shape
    _look(done, shapes, RotatedBox, _rotated_boxes, sizes)
    _look(done, shapes, Polygon, _polygons, sizes)
    _look(done, shapes, Mask, _masks, sizes)
    _look(done, shapes, KeyPoints, _keypoints, sizes)
    for place, allowed in (point_names or {}).items():
        shape_of = shapes.get(place)
        if isinstance(shape_of, KeyPoints):
            unknown = [p.name for p in shape_of.points if p.name not in allowed]
            if unknown:
                listed = ", ".join(sorted(allowed))[:120]
                done.refused.setdefault(
                    place,
                    BadShape(
                        "unknown_point",
                        f"{unknown[0][:60]!r} is none of the points {listed}.",
                    ),
                )
    for place in done.refused:
        done.texts[place] = None
        done.bounds[place] = np.nan
    return done


def _look(
    done: Settled,
    shapes: Mapping[int, Shape],
    kind: type[_OneKind],
    look: Callable[[Settled, NDArray[np.int64], list[_OneKind], Floats], None],
    sizes: Floats,
) -> None:
    """Look at the shapes of one kind."""
    chosen = {place: shape for place, shape in shapes.items() if isinstance(shape, kind)}
    if chosen:
        places = np.array(list(chosen))
        look(done, places, list(chosen.values()), sizes[places])


def _mask(text: str, size: Floats) -> Shape:
    """A mask, of which nothing is made before its size is that of the image."""
    width, height = size.tolist()
    said = said_size(text)
    if said is not None and said != (height, width):
        raise BadShape(
            "size_mismatch",
            f"A mask of {said[1]}×{said[0]} pixels, but the image has {width:g}×{height:g}.",
        )
    if said is not None and is_part(text):
        return whole_mask(text, size=said)
    return read_shape("mask", text)


def _in_pixels(kind: str, text: str, size: Floats) -> Shape:
    """A shape whose coordinates are shares of the image's sides, in pixels."""
    width, height = size.tolist()
    if kind == "rotated_box":  # by its corners: a box turned in a stretched image is none
        return box_of_corners([(x * width, y * height) for x, y in read_corners(text)])
    shape = read_shape(kind, text)
    if isinstance(shape, Polygon):
        return Polygon(
            tuple(tuple((x * width, y * height) for x, y in ring) for ring in shape.rings),
            shape.holes,
        )
    if isinstance(shape, KeyPoints):
        return KeyPoints(tuple(replace(p, x=p.x * width, y=p.y * height) for p in shape.points))
    return shape


def _rotated_boxes(
    done: Settled, places: NDArray[np.int64], shapes: list[RotatedBox], sizes: Floats
) -> None:
    corners = np.array([s.corners for s in shapes])
    sides = np.array([s.size for s in shapes])
    numbers = np.array([(*s.center, *s.size, s.angle) for s in shapes])
    finite = np.isfinite(numbers).all(axis=1)
    _refuse(done, places[~finite], "not_finite", "Not finite numbers.")
    empty = finite & (sides.min(axis=1) <= 0)
    _refuse(done, places[empty], "zero_area_shape", "It has no area.")
    starts = np.arange(len(shapes)) * 4
    low, high = _extent(corners.reshape(-1, 2), starts)
    _bounds(done, places, low, high, sizes, finite & ~empty)
    for place, shape in zip(places.tolist(), shapes, strict=True):
        done.kinds[place] = "rotated_box" if shape.angle else "bbox"
        done.texts[place] = shape.text if shape.angle else None


def _polygons(
    done: Settled, places: NDArray[np.int64], shapes: list[Polygon], sizes: Floats
) -> None:
    lengths = np.array([len(ring) for s in shapes for ring in s.rings])
    rings_of = np.array([len(s.rings) for s in shapes])
    shape_of_ring = np.repeat(np.arange(len(shapes)), rings_of)
    hole = np.array([k in s.holes for s in shapes for k in range(len(s.rings))])
    points = np.array([p for s in shapes for ring in s.rings for p in ring])
    starts = np.r_[0, np.cumsum(lengths)[:-1]]
    first_ring = np.r_[0, np.cumsum(rings_of)[:-1]]
    shape_of_point = np.repeat(shape_of_ring, lengths)
    finite = np.minimum.reduceat(np.isfinite(points).all(axis=1), starts[first_ring])
    _refuse(done, places[~finite], "not_finite", "Not finite numbers.")
    points = np.where(np.isfinite(points), points, 0.0)
    low, high = _extent(points, starts[first_ring])
    inside = _bounds(done, places, low, high, sizes, finite)
    clipped = np.clip(points, 0.0, sizes[shape_of_point])
    moved = np.logical_or.reduceat((clipped != points).any(axis=1), starts[first_ring])
    inside &= ~_too_long(done, places, clipped, starts, lengths, first_ring)
    areas = np.abs(_areas(clipped, starts, lengths)) * np.where(hole, -1.0, 1.0)
    area = np.add.reduceat(areas, first_ring)
    empty = inside & (area <= 0)
    _refuse(done, places[empty], "zero_area_shape", "It has no area.")
    crossed = np.logical_or.reduceat(crosses_itself(clipped, starts, lengths), first_ring)
    for at in np.flatnonzero(inside & ~empty & crossed).tolist():
        done.reported[int(places[at])] = BadShape(
            "self_intersection", "Its outline crosses itself; it is kept as it is."
        )
    for at, (place, shape) in enumerate(zip(places.tolist(), shapes, strict=True)):
        done.kinds[place] = "polygon"
        if not inside[at]:
            continue
        if moved[at]:
            first = first_ring[at]
            rings = [
                clipped[starts[r] : starts[r] + lengths[r]].tolist()
                for r in range(first, first + rings_of[at])
            ]
            try:
                shape = polygon(rings, shape.holes)
            except BadShape as error:
                done.refused[place] = error
                continue
        done.texts[place] = shape.text


def _too_long(
    done: Settled,
    places: NDArray[np.int64],
    points: Floats,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    first_ring: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Refuse polygons whose outlines are longer than can be filled."""
    following = np.arange(1, len(points) + 1)
    following[starts + lengths - 1] = starts
    sides = np.abs(points[following] - points).max(axis=1)
    along = np.add.reduceat(sides, starts[first_ring])
    long = along > MOST_OUTLINE
    for place, pixels in zip(places[long].tolist(), along[long].tolist(), strict=True):
        done.refused[place] = BadShape(
            "outline_too_long",
            f"An outline of {pixels:g} pixels; {MOST_OUTLINE:,} are read at most.",
        )
    return long


def _masks(done: Settled, places: NDArray[np.int64], shapes: list[Mask], _: Floats) -> None:
    for place, shape in zip(places.tolist(), shapes, strict=True):
        if not area_of_runs(shape.counts):
            done.refused[place] = BadShape("zero_area_shape", "It has no pixel.")
        else:
            done.bounds[place] = bounds_of_runs(shape.counts, shape.size[0])
            done.texts[place] = shape.text


def _keypoints(
    done: Settled, places: NDArray[np.int64], shapes: list[KeyPoints], sizes: Floats
) -> None:
    lengths = np.array([len(s.points) for s in shapes])
    points = np.array([(p.x, p.y) for s in shapes for p in s.points])
    starts = np.r_[0, np.cumsum(lengths)[:-1]]
    finite = np.minimum.reduceat(np.isfinite(points).all(axis=1), starts)
    _refuse(done, places[~finite], "not_finite", "Not finite numbers.")
    points = np.where(np.isfinite(points), points, 0.0)
    low, high = _extent(points, starts)
    inside = _bounds(done, places, low, high, sizes, finite, points=True)
    clipped = np.clip(points, 0.0, np.repeat(sizes, lengths, axis=0))
    # the pixels that the points are in: a lone point has bounds too
    low, high = np.clip(low, 0, sizes), np.clip(high, 0, sizes)
    edge = np.minimum(np.floor(high), sizes - 1) + 1
    corner = np.minimum(np.floor(low), sizes - 1)
    done.bounds[places] = np.concatenate([corner, edge], axis=1)
    for place, shape, start, good in zip(
        places.tolist(), shapes, starts.tolist(), inside.tolist(), strict=True
    ):
        if good:
            made = [
                replace(p, x=float(clipped[start + k, 0]), y=float(clipped[start + k, 1]))
                for k, p in enumerate(shape.points)
            ]
            done.texts[place] = KeyPoints(tuple(made)).text


def _bounds(
    done: Settled,
    places: NDArray[np.int64],
    low: Floats,
    high: Floats,
    sizes: Floats,
    among: NDArray[np.bool_],
    *,
    points: bool = False,
) -> NDArray[np.bool_]:
    """Give bounds to the shapes of ``among`` that lie in their image, and tell which those are."""
    # what is no number is not within either
    out = ~((low >= -CLIPPED_PIXELS) & (high <= sizes + CLIPPED_PIXELS)).all(axis=1)
    if not points:  # what lies beside the image, and reaches it nowhere
        out |= (low >= sizes).any(axis=1) | (high <= 0).any(axis=1)
    for at in np.flatnonzero(out & among).tolist():
        (x, y), (right, bottom) = low[at].tolist(), high[at].tolist()
        width, height = sizes[at].tolist()
        done.refused[int(places[at])] = BadShape(
            "out_of_frame_shape",
            f"Its bounds ({x:g}, {y:g}, {right:g}, {bottom:g}) reach out of the image of"
            f" {width:g}×{height:g} pixels.",
        )
    inside = among & ~out
    both = np.concatenate([np.clip(low, 0, sizes), np.clip(high, 0, sizes)], axis=1)
    done.bounds[places[inside]] = both[inside]
    return inside


def _refuse(done: Settled, places: NDArray[np.int64], reason: str, detail: str) -> None:
    for place in places.tolist():
        done.refused[place] = BadShape(reason, detail)


def _extent(points: Floats, starts: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Least and largest x and y of the points of each shape."""
    return np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)


def _areas(points: Floats, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Floats:
    """Signed area of each ring."""
    following = np.arange(1, len(points) + 1)
    following[starts + lengths - 1] = starts
    other = points[following]
    # from the ring's own first point, so that nothing is lost far from the origin
    origin = np.repeat(points[starts], lengths, axis=0)
    one, two = points - origin, other - origin
    cross = one[:, 0] * two[:, 1] - two[:, 0] * one[:, 1]
    return np.add.reduceat(cross, starts) / 2
