"""Shapes of labels as they are drawn: outlines of polygons, turned boxes and masks, and key points.

A shape is small whatever is stored: it has few points, and says how far off they may be. One that
cannot be drawn says why, and is drawn by its bounds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from cv_pipeline.annotations.geometry import BadShape, KeyPoints, Polygon, RotatedBox, read_shape
from cv_pipeline.annotations.geometry.run_lengths import decode_counts
from cv_pipeline.catalog.schemas.annotations import SHAPE_KINDS
from cv_pipeline.inspector.images.outlines import (
    Outline,
    Points,
    outline_of_mask,
    outline_of_rings,
)
from cv_pipeline.inspector.kept import Kept

MOST_KEY_POINTS = 300
"""Key points of one object that are drawn."""

_READ_AS_JSON = 100_000
"""Characters of a polygon up to which it is read as what it may be; larger ones are numbers."""
_MOST_MASK_TEXT = 4 << 20
"""Characters of the run lengths of the largest mask that is drawn."""
_WORTH_KEEPING = 1_000
"""Characters of a shape from which on what is drawn of it is kept."""


@dataclass(frozen=True)
class Detail:
    """How closely shapes are drawn.

    Attributes:
        points: points of one shape, at most.
        in_all: points of all shapes of an answer, about; each has sixteen in any case.
        shapes: shapes of an answer; further ones are drawn by their bounds.
        part: share of the image's longer side that is given up first where a shape has too many.
        places: pixels that are looked at of a mask.
        text: characters of the largest shape that is read.
        digits: of coordinates, which are shares of the image.
    """

    points: int
    in_all: int
    shapes: int
    part: float
    places: int
    text: int
    digits: int

    def of_each(self, shapes: int) -> int:
        """Points of each of so many shapes."""
        return max(16, min(self.points, self.in_all // max(shapes, 1)))


SMALL = Detail(
    points=64, in_all=60_000, shapes=2_000, part=1 / 512, places=1 << 14, text=1 << 16, digits=4
)
"""Of a grid."""
LARGE = Detail(
    points=2_000, in_all=80_000, shapes=4_000, part=1 / 8192, places=1 << 20, text=1 << 25, digits=6
)
"""Of one image that is looked at closely."""


class MarkPoint(BaseModel):
    """A key point: where it is, as shares of the image, and whether it is seen or hidden."""

    name: str
    x: float
    y: float
    visible: bool


class MarkShape(BaseModel):
    """What is drawn in place of the bounds of a label.

    Attributes:
        rings: outlines, each x and y of its points in turn as shares of the image; what lies in an
            even number of them is not inside. Those of a turned box begin with its top side.
        points: key points, in the order that the ontology has for them.
        tolerance: pixels of the image by which an outline may be off; 0 where it is exact.
        left_out: outlines or points that are too small or too many to be drawn.
        problem: why nothing of it can be drawn.
    """

    rings: list[list[float]] = []
    points: list[MarkPoint] = []
    tolerance: float = 0.0
    left_out: int = 0
    problem: str = ""


_drawn: Kept[MarkShape] = Kept(8_192, room=128 << 20)


def shapes_of(
    rows: Sequence[Mapping[str, Any]],
    sizes: Sequence[tuple[int, int]],
    *,
    detail: Detail,
    order: Mapping[str, Sequence[str]],
) -> list[MarkShape | None]:
    """The shapes of labels; None for those that their bounds describe in full.

    Args:
        rows: label, kind and geometry of each; a geometry of None is one that was not read.
        sizes: width and height of the image of each.
        detail: how closely they are drawn.
        order: class to the names of its key points.
    """
    shaped = [row["kind"] in SHAPE_KINDS for row in rows]
    most = detail.of_each(sum(shaped))
    made: list[MarkShape | None] = []
    left = detail.shapes
    for row, size, has in zip(rows, sizes, shaped, strict=True):
        if not has or left == 0:
            made.append(None)
            continue
        left -= 1
        names = tuple(order.get(row["label"], ())) if row["kind"] == "keypoints" else ()
        text = row["geometry"]
        if text is None or len(text) > detail.text:
            made.append(_problem("It has too many points to be drawn here."))
        else:
            made.append(_shape(row["kind"], text, size, detail=detail, most=most, names=names))
    return made


def _shape(
    kind: str,
    text: str,
    size: tuple[int, int],
    *,
    detail: Detail,
    most: int,
    names: tuple[str, ...],
) -> MarkShape:
    def make() -> MarkShape:
        try:
            return _made(kind, text, size, detail=detail, most=most, names=names)
        except BadShape as error:
            return _problem(error.detail)
        except (ValueError, TypeError, LookupError, OverflowError, MemoryError, RecursionError):
            return _problem("What is kept of it is no shape.")

    if len(text) < _WORTH_KEEPING:
        return make()
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
    return _drawn.get((kind, digest, size, detail, most, names), make)


def _made(
    kind: str,
    text: str,
    size: tuple[int, int],
    *,
    detail: Detail,
    most: int,
    names: tuple[str, ...],
) -> MarkShape:
    within = size
    least = max(max(size) * detail.part, 0.25)
    if kind == "mask":
        if len(text) > _MOST_MASK_TEXT:
            raise BadShape("mask_too_large", "The mask has too many runs to be drawn.")
        found = json.loads(text)
        height, width = (int(side) for side in found["size"])
        if not (1 <= height <= 1 << 20 and 1 <= width <= 1 << 20):
            raise BadShape("bad_mask", f"A mask of {width}×{height} pixels.")
        counts = decode_counts(found["counts"], height * width)
        within = (width, height)  # one of another size than the image's lies over it as a whole
        outline = outline_of_mask(
            counts, (height, width), places=detail.places, least=least, most=most
        )
    elif kind == "polygon" and len(text) > _READ_AS_JSON:
        points, lengths = _rings(text)
        outline = outline_of_rings(_clipped(points, size), lengths, least=least, most=most)
    else:
        shape = read_shape(kind, text)
        if isinstance(shape, KeyPoints):
            return _key_points(shape, size, names=names, digits=detail.digits)
        if isinstance(shape, RotatedBox):
            rings: Sequence[Sequence[tuple[float, float]]] = [shape.corners]
        else:
            assert isinstance(shape, Polygon)
            rings = shape.rings
        points = np.array([place for ring in rings for place in ring], np.float64)
        if isinstance(shape, RotatedBox) and not np.isfinite(points).all():
            raise BadShape("not_finite", "Its coordinates are no numbers.")
        lengths = np.array([len(ring) for ring in rings])
        outline = outline_of_rings(_clipped(points, size), lengths, least=least, most=most)
    if not outline.rings:
        raise BadShape("no_outline", "It has no pixel, or no three points that are numbers.")
    return _outlined(outline, within, detail.digits, max(size) / max(within))


def _outlined(
    outline: Outline, size: tuple[int, int], digits: int, scale_of_image: float
) -> MarkShape:
    scale = np.array(size, np.float64)
    return MarkShape.model_construct(
        rings=[np.round(ring / scale, digits).ravel().tolist() for ring in outline.rings],
        points=[],
        tolerance=round(outline.tolerance * scale_of_image, 2),
        left_out=outline.left_out,
        problem="",
    )


def _key_points(
    shape: KeyPoints, size: tuple[int, int], *, names: tuple[str, ...], digits: int
) -> MarkShape:
    place = {name: n for n, name in enumerate(names)}
    points = sorted(shape.points, key=lambda p: (place.get(p.name, len(place)), p.name))
    at = np.array([(p.x, p.y) for p in points], np.float64) / np.array(size, np.float64)
    finite: NDArray[np.bool_] = np.isfinite(at).min(axis=1)
    if not finite.any():
        raise BadShape("not_finite", "Its coordinates are no numbers.")
    shares = np.round(np.clip(np.where(finite[:, None], at, 0), -1, 2), digits).tolist()
    shown = [
        MarkPoint(name=p.name[:60], x=x, y=y, visible=p.visible == 2)
        for p, (x, y), good in zip(points, shares, finite, strict=True)
        if good
    ]
    return MarkShape(points=shown[:MOST_KEY_POINTS], left_out=max(0, len(shown) - MOST_KEY_POINTS))


def _rings(text: str) -> tuple[Points, NDArray[np.int64]]:
    """Points of a large polygon in canonical JSON, read as the numbers that they are, and how many
    each ring has.

    Raises:
        ValueError: it is not canonical.
    """
    plain = text.replace(" ", "")
    body = plain[plain.index('"rings":') + len('"rings":') :].rstrip("}")
    counts = np.array([part.count("],[") + 1 for part in body.split("]],[[")])
    flat = pa.array([body.replace("[", "").replace("]", "")])
    numbers = pc.list_flatten(pc.split_pattern(flat, ",")).cast(pa.float64()).to_numpy()
    if len(numbers) != 2 * counts.sum():
        raise ValueError("not canonical")
    return numbers.reshape(-1, 2), counts


def _clipped(points: Points, size: tuple[int, int]) -> Points:
    """Points that lie no further than an image's size beyond it; what is no number stays none."""
    far = np.array(size, np.float64)
    return np.clip(points, -far, 2 * far)


def _problem(why: str) -> MarkShape:
    return MarkShape(problem=why)
