"""Shapes as COCO has them: ``segmentation`` of polygons or run lengths, and ``keypoints``.

Compressed and uncompressed run lengths are read. A polygon with holes, which COCO has not, is
written as run lengths; what a turned box or such a polygon was is told in keys of our own, and
counts as long as the segmentation is the one that it gives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.geometry import (
    BadShape,
    KeyPoint,
    KeyPoints,
    Mask,
    Polygon,
    RotatedBox,
    Shape,
    keypoints,
    polygon,
    read_shape,
)
from cv_pipeline.annotations.geometry.masks import mask_of_polygon
from cv_pipeline.annotations.geometry.run_lengths import (
    area_of_runs,
    check_runs,
    check_size,
    decode_counts,
    encode_counts,
)
from cv_pipeline.annotations.values import as_number, as_text

Entry = Mapping[str, Any]

_MOST_FILLED = 1 << 24
"""Pixels of the largest image, by what its entry states, that a polygon with holes is filled in to
compare it with the run lengths beside it; in a larger one the run lengths count."""


def shape_of_segmentation(value: Any) -> Shape | None:
    """The shape of a ``segmentation``; None for an empty one.

    Raises:
        BadShape: it is none.
    """
    if value in (None, [], {}):
        return None
    match value:
        case {"size": [int(height), int(width)], "counts": str(counts)}:
            check_size(height, width)
            return Mask((height, width), decode_counts(counts, height * width))
        case {"size": [int(height), int(width)], "counts": [*counts]}:
            check_size(height, width)
            return Mask((height, width), check_runs(counts, height * width))
        case [*rings] if all(isinstance(ring, list) for ring in rings):
            return polygon(_ring(ring) for ring in rings)
    raise BadShape("bad_segmentation", f"Neither polygons nor run lengths: {repr(value)[:60]}.")


def _ring(flat: list[Any]) -> list[tuple[float, float]]:
    numbers = [as_number(v) for v in flat]
    known = [n for n in numbers if n is not None]
    if len(known) != len(flat) or len(flat) % 2:
        raise BadShape(
            "bad_segmentation", f"Expected x and y of each point, found {repr(flat)[:60]}."
        )
    return list(zip(known[::2], known[1::2], strict=True))


def points_of(value: object, names: Sequence[str]) -> KeyPoints | None:
    """The shape of ``keypoints``; None where no point is labelled.

    Args:
        value: x, y and visibility of each point, one after the other.
        names: names of the points; numbers from 1 where the category has none.

    Raises:
        BadShape: it is none.
    """
    if value in (None, []):
        return None
    if not isinstance(value, list) or len(value) % 3 or (names and len(value) != 3 * len(names)):
        raise BadShape(
            "bad_keypoints",
            f"Expected x, y and visibility of {len(names) or 'some'} points,"
            f" found {repr(value)[:60]}.",
        )
    found: list[KeyPoint] = []
    for place in range(len(value) // 3):
        x, y, seen = (as_number(v) for v in value[3 * place : 3 * place + 3])
        if x is None or y is None or seen not in (0, 1, 2):
            raise BadShape("bad_keypoints", f"Point {place + 1} is no x, y and visibility.")
        name = names[place] if names else str(place + 1)
        found.append(KeyPoint(name, x, y, int(seen)))
    return keypoints(found) if any(p.visible for p in found) else None


def told_shape(entry: Entry, names: Sequence[str]) -> tuple[str, str | None] | None:
    """Kind and geometry that our own keys tell, where the entry is still what they give."""
    kind, geometry = as_text(entry.get("kind")), entry.get("geometry")
    if kind == "bbox" and geometry is None:
        return None if entry.get("segmentation") or entry.get("keypoints") else ("bbox", None)
    if kind is None or not isinstance(geometry, dict):
        return None
    size = _size(entry)
    if size is not None and size[0] * size[1] > _MOST_FILLED:
        size = None
    try:
        shape = read_shape(kind, json.dumps(geometry))
        given = shape_parts(shape, names, size=size)
    except BadShape:
        return None
    parts = {key: entry[key] for key in given if key in entry}
    # whoever wrote the file may have spelled 1.0 as 1
    return (kind, shape.text) if parts == given else None


def _size(entry: Entry) -> tuple[int, int] | None:
    segmentation = entry.get("segmentation")
    match segmentation:
        case {"size": [int(height), int(width)]}:
            return height, width
    return None


def shape_parts(
    shape: Shape, names: Sequence[str], *, size: tuple[int, int] | None
) -> dict[str, Any]:
    """What an entry says of a shape: ``segmentation`` or ``keypoints``.

    Args:
        shape: the shape.
        names: of the points of its category.
        size: height and width of the image, which a polygon with holes needs.

    Raises:
        BadShape: the size is needed and not known.
    """
    if isinstance(shape, KeyPoints):
        by_name = {p.name: p for p in shape.points}
        flat: list[float] = []
        for name in names:
            point = by_name.get(name)
            flat += [point.x, point.y, point.visible] if point else [0, 0, 0]
        return {"keypoints": flat, "num_keypoints": len(shape.points)}
    if isinstance(shape, RotatedBox):
        return {"segmentation": [[v for place in shape.corners for v in place]]}
    if isinstance(shape, Polygon) and not shape.holes:
        return {"segmentation": [[v for place in ring for v in place] for ring in shape.rings]}
    if isinstance(shape, Polygon):
        if size is None:
            raise BadShape("bad_geometry", "The size of the image is not known.")
        shape = mask_of_polygon(shape, size)
    return {"segmentation": {"size": list(shape.size), "counts": encode_counts(shape.counts)}}


def point_names(labels: pa.Table) -> dict[str, tuple[str, ...]]:
    """The names of the points of each class, sorted.

    Args:
        labels: ``EXPORT_LABELS``.
    """
    chosen = labels.filter(pc.equal(labels["kind"], "keypoints"))
    found: dict[str, set[str]] = {}
    for label, text in zip(
        chosen["label"].to_pylist(), chosen["geometry"].to_pylist(), strict=True
    ):
        found.setdefault(label, set()).update(p["name"] for p in json.loads(text)["points"])
    return {label: tuple(sorted(names)) for label, names in sorted(found.items())}


def with_parts(labels: pa.Table, images: pa.Table, names: Mapping[str, Sequence[str]]) -> pa.Table:
    """Labels with what COCO says of their shapes, as JSON, and their area.

    Args:
        labels: ``EXPORT_LABELS``.
        images: ``EXPORT_IMAGES``: those of the labels.
        names: of the points of each class.

    Returns:
        ``labels`` with columns ``segmentation``, ``keypoints`` (both text, null for none),
        ``num_keypoints`` and ``area``.
    """
    n = len(labels)
    parts: dict[str, list[Any]] = {name: [None] * n for name in _PARTS}
    area = pc.multiply(labels["width"], labels["height"]).to_numpy().copy()
    places = np.flatnonzero(pc.is_valid(labels["geometry"]).to_numpy())
    rows = labels.select(["label", "kind", "geometry", "image"]).take(pa.array(places))
    at = pc.index_in(rows["image"], value_set=images["number"].combine_chunks())
    sides = images.select(["height", "width"]).take(at)
    for place, row, size in zip(places.tolist(), rows.to_pylist(), sides.to_pylist(), strict=True):
        shape = read_shape(row["kind"], row["geometry"])
        found = shape_parts(
            shape, names.get(row["label"], ()), size=(size["height"], size["width"])
        )
        for name, value in found.items():
            parts[name][place] = value if name == "num_keypoints" else json.dumps(value)
        area[place] = _area(shape, area[place])
    for name, kind in _PARTS.items():
        labels = labels.append_column(name, pa.array(parts[name], kind))
    return labels.append_column("area", pa.array(area))


_PARTS = {"segmentation": pa.string(), "keypoints": pa.string(), "num_keypoints": pa.int64()}


def _area(shape: Shape, of_bounds: float) -> float:
    match shape:
        case RotatedBox(size=(width, height)):
            return width * height
        case Mask():
            return float(area_of_runs(shape.counts))
        case Polygon():
            areas = [abs(_ring_area(np.array(ring))) for ring in shape.rings]
            return float(sum(-a if k in shape.holes else a for k, a in enumerate(areas)))
    return of_bounds


def _ring_area(places: np.ndarray) -> float:
    x, y = places[:, 0], places[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)
