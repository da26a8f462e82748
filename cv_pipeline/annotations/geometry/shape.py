"""Shapes as canonical JSON: the same shape is always the same text.

Coordinates are pixels of the stored image. Text that comes in is read into one of four shapes or
refused with a reason; what goes out has sorted keys, no blanks, and every number as the shortest
decimal that reads back to it. A shape knows nothing of its image: see ``settle``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.annotations.geometry.run_lengths import (
    BadShape,
    check_size,
    decode_counts,
    encode_counts,
)

Place = tuple[float, float]
Ring = tuple[Place, ...]

MOST_POINTS = 100_000
"""Points of the largest shape that is read."""

MOST_DEGREES = 1e6
"""The furthest that a box may be said to be turned: of more, no figure says where it ends."""

_RIGHT_WITHIN = 1.0
"""Pixels by which four corners may miss those of a rectangle."""

_CANONICAL = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=True
)


@dataclass(frozen=True)
class RotatedBox:
    """A box turned about its centre.

    Attributes:
        center: x and y.
        size: width and height, before it is turned.
        angle: degrees, clockwise as one sees the image, from 0 to 360.
    """

    center: Place
    size: Place
    angle: float

    @property
    def text(self) -> str:
        """Canonical JSON."""
        return _CANONICAL.encode({"angle": self.angle, "center": self.center, "size": self.size})

    @property
    def corners(self) -> Ring:
        """Top left, top right, bottom right and bottom left of the box, turned with it."""
        turn = math.radians(self.angle)
        across, down = (side / 2 for side in self.size)
        cosine, sine = math.cos(turn), math.sin(turn)
        x, y = self.center
        return tuple(
            (
                x + sx * across * cosine - sy * down * sine,
                y + sx * across * sine + sy * down * cosine,
            )
            for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        )


@dataclass(frozen=True)
class Polygon:
    """Rings of points; a ring is closed by itself.

    Attributes:
        rings: exterior rings, then holes.
        holes: places of the holes among the rings, sorted.
    """

    rings: tuple[Ring, ...]
    holes: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """Canonical JSON."""
        holes = {"holes": self.holes} if self.holes else {}
        return _CANONICAL.encode({"rings": self.rings, **holes})


@dataclass(frozen=True, eq=False)
class Mask:
    """Pixels, as COCO's run lengths: column by column, beginning with those outside.

    Attributes:
        size: height and width of the image.
        counts: run lengths.
    """

    size: tuple[int, int]
    counts: NDArray[np.int64]

    @property
    def text(self) -> str:
        """Canonical JSON, with COCO's compressed run lengths."""
        return _CANONICAL.encode({"counts": encode_counts(self.counts), "size": self.size})


@dataclass(frozen=True)
class KeyPoint:
    """A named point: ``visible`` 2, or 1 when it is hidden behind something."""

    name: str
    x: float
    y: float
    visible: int = 2


@dataclass(frozen=True)
class KeyPoints:
    """The points of one object, in order of their names; none that is not in the image."""

    points: tuple[KeyPoint, ...]

    @property
    def text(self) -> str:
        """Canonical JSON."""
        return _CANONICAL.encode({"points": [vars(p) for p in self.points]})


Shape = RotatedBox | Polygon | Mask | KeyPoints


def rotated_box(center: Sequence[float], size: Sequence[float], angle: float) -> RotatedBox:
    """A box turned by an angle, which may be several turns; neither side may be negative.

    Raises:
        BadShape: a side is negative, or a number is not finite or no angle.
    """
    if not all(map(math.isfinite, (*center, *size, angle))):
        raise BadShape("not_finite", "Not finite numbers.")
    if abs(angle) > MOST_DEGREES:
        raise BadShape("bad_geometry", f"{angle:g} degrees are no angle.")
    if min(size) < 0:
        raise BadShape("bad_geometry", f"A side is negative: {size[0]:g}×{size[1]:g}.")
    turned = math.fmod(angle, 360.0)
    turned = turned + 360.0 if turned < 0 else turned
    if turned >= 360.0:  # a hair below nothing
        turned = 0.0
    x, y = _place(center)
    return RotatedBox((x, y), (size[0] + 0.0, size[1] + 0.0), turned + 0.0)


def box_of_corners(corners: Sequence[Sequence[float]]) -> RotatedBox | Polygon:
    """The box whose first side is that between the first two of four corners.

    Corners that miss a rectangle's by more than a pixel are a polygon instead: nothing is bent.
    """
    ring = tuple(_place(c) for c in corners)
    places = np.array(ring)
    if not np.isfinite(places).all():
        return Polygon((ring,))
    if _signed_area(places) < 0:  # the other way round: the same box, from the same corner
        places = places[[1, 0, 3, 2]]
    across, down = places[1] - places[0], places[3] - places[0]
    angle = math.degrees(math.atan2(across[1], across[0]))
    size = (math.hypot(*across), math.hypot(*down))
    found = rotated_box(places.mean(axis=0).tolist(), size, angle)
    if np.abs(np.array(found.corners) - places).max() > _RIGHT_WITHIN:
        return Polygon((ring,))
    return found


def polygon(rings: Iterable[Iterable[Sequence[float]]], holes: Iterable[int] = ()) -> Polygon:
    """Rings without points that repeat the one before, the first after the last included.

    Holes are put last.

    Raises:
        BadShape: there is no ring, one has fewer than three distinct points, there are too many,
            or a hole is none of the rings.
    """
    made: list[Ring] = []
    left = MOST_POINTS
    for ring in rings:
        drawn = [_place(p) for p in islice(ring, left + 1)]
        left -= len(drawn)
        if left < 0:
            raise BadShape("too_many_points", f"{MOST_POINTS} points are read at most.")
        kept = [p for k, p in enumerate(drawn) if not k or p != drawn[k - 1]]
        closed = len(kept) > 1 and kept[0] == kept[-1]
        places = tuple(kept[:-1] if closed else kept)
        if len(set(places)) < 3:
            raise BadShape(
                "too_few_points", f"A ring of {len(set(places))} distinct points; it needs three."
            )
        made.append(places)
    inner = sorted(set(holes))
    if not made:
        raise BadShape("bad_geometry", "A polygon without a ring.")
    if inner and (inner[0] < 0 or inner[-1] >= len(made) or len(inner) == len(made)):
        raise BadShape("bad_geometry", f"Holes {inner[:5]} among {len(made)} rings.")
    outer = [made[k] for k in range(len(made)) if k not in inner]
    return Polygon(
        (*outer, *(made[k] for k in inner)), tuple(range(len(outer), len(outer) + len(inner)))
    )


def keypoints(points: Iterable[KeyPoint]) -> KeyPoints:
    """Points that are in the image, in order of their names.

    Raises:
        BadShape: there is none, there are too many, or two have one name.
    """
    drawn = list(islice(points, MOST_POINTS + 1))
    if len(drawn) > MOST_POINTS:
        raise BadShape("too_many_points", f"{MOST_POINTS} points are read at most.")
    shown = sorted(
        (KeyPoint(p.name, *_place((p.x, p.y)), p.visible) for p in drawn if p.visible),
        key=lambda p: p.name,
    )
    if not shown:
        raise BadShape("no_points", "Not one of its points is in the image.")
    for one, other in pairwise(shown):
        if one.name == other.name:
            raise BadShape("repeated_point", f"Two points are called {one.name[:60]!r}.")
    return KeyPoints(tuple(shown))


def read_shape(kind: str, text: str) -> Shape:
    """The shape that JSON describes.

    Besides the canonical forms, ``rotated_box`` may be given by four ``corners``.

    Raises:
        BadShape: it is none of that kind.
    """
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise BadShape("bad_geometry", f"Not JSON: {text[:60]!r}.") from None
    try:
        match kind, found:
            case "rotated_box", {"corners": [*_]}:
                return box_of_corners(read_corners(text))
            case "rotated_box", {"center": center, "size": size, "angle": angle}:
                return rotated_box(_numbers(center), _numbers(size), _number(angle))
            case "polygon", {"rings": [*rings], **rest}:
                holes: Any = rest.get("holes", [])
                if all(type(k) is int for k in holes):
                    return polygon(([_numbers(p) for p in ring] for ring in rings), holes)
            case "mask", {"size": [int(height), int(width)], "counts": str(counts)}:
                check_size(height, width)
                return Mask((height, width), decode_counts(counts, height * width))
            case "keypoints", {"points": [*points]}:
                return keypoints(map(_point, points))
    except (TypeError, KeyError, ValueError) as error:
        if isinstance(error, BadShape):
            raise
    raise BadShape("bad_geometry", f"No {kind}: {text[:60]!r}.")


def read_corners(text: str) -> Ring:
    """Four corners out of JSON.

    Raises:
        BadShape: it has none.
    """
    try:
        corners = [_numbers(c) for c in json.loads(text)["corners"]]
        first, second, third, fourth = corners
    except (LookupError, TypeError, ValueError, RecursionError):
        raise BadShape("bad_geometry", f"No four corners: {text[:60]!r}.") from None
    return first, second, third, fourth


def corners_text(corners: Iterable[Sequence[float]]) -> str:
    """JSON of four corners, which ``read_shape`` takes for a rotated box."""
    return _CANONICAL.encode({"corners": [_place(c) for c in corners]})


def _point(value: dict[str, object]) -> KeyPoint:
    name, visible = value["name"], value.get("visible", 2)
    if not isinstance(name, str) or not name or visible not in (0, 1, 2):
        raise ValueError
    return KeyPoint(name, _number(value["x"]), _number(value["y"]), int(str(visible)))


def _place(values: Sequence[float]) -> Place:
    x, y = values
    return float(x) + 0.0, float(y) + 0.0  # -0.0 becomes 0.0


def _numbers(values: object) -> Place:
    first, second = cast("list[object]", values)  # what cannot be unpacked is refused
    return _number(first), _number(second)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _signed_area(places: NDArray[np.float64]) -> float:
    """Positive where the points go clockwise as one sees the image."""
    x, y = places[:, 0], places[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)
