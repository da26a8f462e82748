"""Outlines with few points, which are drawn in place of what is stored.

Whatever is stored, an outline has no more points than are asked for, and no point of what is
stored lies further from it than it says. What is not a number is left out, and a mask is never
made whole: it is looked at in as many places as suffice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.annotations.geometry.run_lengths import Runs, area_of_runs, bounds_of_runs

MOST_RINGS = 256
"""Rings of one outline; the largest are taken."""

_PART = 256
"""Points of a ring that are simplified at a time."""
_FEW = 4_096
"""Points that are simplified again and again, to be no further off than needed."""
_MANY_RUNS = 50_000
"""Runs of a mask from which it is so broken that it is looked at in fewer places."""

Points = NDArray[np.float64]
"""(n, 2): x and y, in pixels."""


@dataclass(frozen=True, eq=False)
class Outline:
    """Rings to draw by the even-odd rule, so that holes are holes.

    Attributes:
        rings: the points of each.
        tolerance: pixels by which they may be off what is stored; 0 where they are exactly that.
        left_out: rings that are not drawn, the smallest.
    """

    rings: list[Points]
    tolerance: float
    left_out: int


def outline_of_rings(
    points: Points, lengths: NDArray[np.int64], *, least: float, most: int
) -> Outline:
    """The outline of a polygon.

    Args:
        points: the points of its rings, one ring after the other.
        lengths: points of each ring.
        least: pixels that are given up first where it has too many points.
        most: points that the outline has at most; four or more.
    """
    finite = np.isfinite(points).all(axis=1)
    if not finite.all():
        ring_of = np.repeat(np.arange(len(lengths)), lengths)
        points, lengths = points[finite], np.bincount(ring_of[finite], minlength=len(lengths))
    made = _largest(points, lengths)
    whole = int((lengths >= 3).sum())
    if not made:
        return Outline([], 0.0, whole)
    bounds = _bounds(np.concatenate(made))
    tolerance, off, count = least, 0.0, sum(map(len, made))
    while count > max(most, _FEW):  # so many that each pass begins with what the last one left
        made = [few for ring in made if len(few := _simpler(ring, tolerance)) >= 3]
        off += tolerance
        before, count = count, sum(map(len, made))
        # where hardly anything goes, what is stored is as rough as this, and rougher
        tolerance *= 2 if count < 0.9 * before else 4
    rings, tolerance = made, max(least, tolerance / 4)
    rough = off
    while count > most:
        made = [few for ring in rings if len(few := _simpler(ring, tolerance)) >= 3]
        count, off = sum(map(len, made)), rough + tolerance
        tolerance *= 1.4
    return Outline(made or [bounds], off, whole - max(len(made), 1))


def outline_of_mask(
    counts: Runs, size: tuple[int, int], *, places: int, least: float, most: int
) -> Outline:
    """The outline of a mask, along the outer edges of its pixels.

    Args:
        counts: COCO's run lengths, which add up to the size.
        size: height and width.
        places: pixels that are looked at, at most.
        least: as of :func:`outline_of_rings`.
        most: as of :func:`outline_of_rings`.
    """
    if not area_of_runs(counts):
        return Outline([], 0.0, 0)
    height = size[0]
    left, top, right, bottom = bounds_of_runs(counts, height)
    if len(counts) > _MANY_RUNS:
        places //= 16
    step = max(1, math.ceil(math.sqrt((right - left) * (bottom - top) / places)))
    columns = np.minimum(np.arange(left, right, step) + step // 2, right - 1)
    rows = np.minimum(np.arange(top, bottom, step) + step // 2, bottom - 1)
    at = (columns[:, None] * height + rows[None, :]).ravel()
    # a pixel is inside where an odd number of runs ends before it
    inside = np.searchsorted(np.cumsum(counts), at, side="right") % 2 == 1
    rings = _edges(inside.reshape(len(columns), len(rows)).T)
    limits = np.array([right, bottom], np.float64)
    rings = [np.minimum(ring * step + np.array([left, top]), limits) for ring in rings]
    rings = rings or [_bounds(np.array([[left, top], [right, bottom]], np.float64))]
    lengths = np.array([len(ring) for ring in rings])
    found = outline_of_rings(np.concatenate(rings), lengths, least=least, most=most)
    return Outline(found.rings, found.tolerance + (step if step > 1 else 0), found.left_out)


def _edges(pixels: NDArray[np.bool_]) -> list[Points]:
    """Rings along the outer edges of pixels, and of the holes in them."""
    import cv2

    # at three times the size the middle of a pixel's outermost third lies 1/6 inside its edge
    large = pixels.astype(np.uint8).repeat(3, axis=0).repeat(3, axis=1)
    contours, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    rings = []
    for contour in contours:
        ring = np.round(contour[:, 0, :] / 3.0)
        rings.append(ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)])
    return [ring for ring in rings if len(ring) >= 3]


def _simpler(ring: Points, tolerance: float) -> Points:
    """A ring without the points that are no further than so much from what is left.

    A long ring is taken in parts, for the time may grow with the square of their length.
    """
    import cv2

    line = ring.astype(np.float32)[:, None, :]
    if len(ring) <= _PART:
        return _plain(cv2.approxPolyDP(line, tolerance, closed=True))
    line = np.concatenate([line, line[:1]])
    parts = [
        _plain(cv2.approxPolyDP(line[n : n + _PART + 1], tolerance, closed=False))[:-1]
        for n in range(0, len(line) - 1, _PART)
    ]
    return np.concatenate(parts)


def _plain(points: NDArray[Any]) -> Points:
    return np.asarray(points[:, 0, :], dtype=np.float64)


def _largest(points: Points, lengths: NDArray[np.int64]) -> list[Points]:
    """The rings that cover most, in their order; none of fewer than three points."""
    starts = np.cumsum(lengths) - lengths
    rings = np.flatnonzero(lengths >= 3)
    if len(rings) > MOST_RINGS:
        there = lengths > 0
        extent = np.zeros((len(lengths), 2))
        extent[there] = np.maximum.reduceat(points, starts[there])
        extent[there] -= np.minimum.reduceat(points, starts[there])
        area = (extent[:, 0] * extent[:, 1])[rings]
        rings = np.sort(rings[np.argsort(-area, kind="stable")[:MOST_RINGS]])
    return [points[starts[n] : starts[n] + lengths[n]] for n in rings]


def _bounds(points: Points) -> Points:
    """The four corners of what points lie in."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
