"""The tasks of YOLO, each with a line of its own: detect, obb, segment and pose.

Which one a folder is for, ``data.yaml`` says with ``task`` (as exports of ours do) or with
``kpt_shape``; else lines of eight coordinates alone are turned boxes, and other long lines are
polygons. Coordinates are shares of the image's sides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.content import Content
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
)
from cv_pipeline.annotations.geometry.masks import polygon_of_mask
from cv_pipeline.annotations.geometry.shape import Ring, corners_text

YoloTask = Literal["detect", "obb", "segment", "pose"]
TASKS: tuple[YoloTask, ...] = ("detect", "obb", "segment", "pose")
_CORNERS = 4
_LONG = re.compile(rb"(?m)^[ \t]*\d+((?:[ \t]+[-+.\deE]+){6,})[ \t]*\r?$")


@dataclass(frozen=True)
class Lines:
    """What the lines of a folder are.

    Attributes:
        task: its task.
        points: names of the key points of each class, by its number; of all, where there are
            none of its own.
        count: points of an object.
        dimensions: numbers of a point: x, y and, with 3, visibility.
    """

    task: YoloTask
    points: Mapping[int, Sequence[str]]
    count: int = 0
    dimensions: int = 3

    def names(self, category: int) -> list[str]:
        """Names of the key points of a class."""
        known = list(self.points.get(category, ()))
        return known if len(known) == self.count else [str(n + 1) for n in range(self.count)]


def lines_of(described: Mapping[str, Any], texts: Iterable[bytes]) -> Lines:
    """What the lines of a folder are.

    Args:
        described: content of its ``data.yaml``.
        texts: its label files.
    """
    match described.get("kpt_shape"):
        case [int(count), (2 | 3) as dimensions] if 0 < count < 1000:
            return Lines("pose", _point_names(described.get("kpt_names")), count, dimensions)
    task = described.get("task")
    if task in TASKS and task != "pose":
        return Lines(task, {})
    long = [len(m.split()) for text in texts for m in _LONG.findall(text)]
    turned = bool(long) and all(n == 2 * _CORNERS for n in long)
    return Lines("obb" if turned else "segment" if long else "detect", {})


def _point_names(value: object) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    if isinstance(value, dict):
        for number, names in value.items():
            if isinstance(number, int) and isinstance(names, list):
                texts = [n.strip() for n in names if isinstance(n, str) and n.strip()]
                if len(set(texts)) == len(names):
                    found[number] = texts
    return found


def read_line(
    lines: Lines, category: int, numbers: list[float]
) -> tuple[str, tuple[float, float, float, float] | None, str | None]:
    """Kind, edges and geometry of an object.

    Args:
        lines: what lines are here.
        category: number of its class.
        numbers: what follows it.

    Raises:
        BadShape: they are none of the task's.
    """
    n = len(numbers)
    if n == 4:
        return "bbox", _edges(numbers), None
    if lines.task == "pose" and n == 4 + lines.count * lines.dimensions:
        table = np.array(numbers[4:]).reshape(lines.count, lines.dimensions)
        if lines.dimensions == 2:  # a point that is not there is at the very corner
            table = np.c_[table, np.where(table.any(axis=1), 2, 0)]
        if not np.isin(table[:, 2], (0, 1, 2)).all():
            raise BadShape("bad_keypoints", "A visibility that is not 0, 1 or 2.")
        found = [
            KeyPoint(name, x, y, int(seen))
            for name, (x, y, seen) in zip(lines.names(category), table.tolist(), strict=True)
        ]
        if any(p.visible for p in found):
            return "keypoints", _edges(numbers), keypoints(found).text
        return "bbox", _edges(numbers), None
    places = list(zip(numbers[::2], numbers[1::2], strict=False))
    if lines.task == "obb" and n == 2 * _CORNERS:
        return "rotated_box", None, corners_text(places)
    if lines.task in ("segment", "obb") and n >= 6 and n % 2 == 0:
        return "polygon", None, polygon([places]).text
    raise BadShape("bad_box", f"{n} numbers are no object of a folder for {lines.task}.")


def _edges(numbers: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = numbers[:4]
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def task_of(content: Content) -> YoloTask:
    """The task that a dataset of detection is written for."""
    kinds = {*content.kinds}
    if "keypoints" in kinds:
        return "pose"
    if kinds & {"polygon", "mask"}:
        return "segment"
    return "obb" if "rotated_box" in kinds else "detect"


def altered(content: Content) -> dict[str, int]:
    """Labels that become another shape, by what they are: a folder holds one kind alone."""
    if content.task != "detection":
        return {}
    task = task_of(content)
    becoming: dict[YoloTask, tuple[str, ...]] = {
        "pose": ("rotated_box", "polygon", "mask"),
        "segment": ("bbox", "rotated_box", "mask"),
    }
    kinds = content.annotations["kind"]
    counts = {k: pc.sum(pc.equal(kinds, k)).as_py() or 0 for k in becoming.get(task, ())}
    if task != "segment":
        counts["rings"] = 0
    return counts


def with_lines(content: Content, task: YoloTask, names: Mapping[str, Sequence[str]]) -> pa.Table:
    """Labels with what follows the class on their line, as text in a column ``line``.

    It is null for a box, whose line the four edges give.

    Args:
        content: what is exported.
        task: its task.
        names: of the key points of each class.
    """
    labels, images = content.annotations, content.images
    lines: list[str | None] = [None] * len(labels)
    if task != "detect":
        columns = ["label", "kind", "geometry", "x_min", "y_min", "x_max", "y_max"]
        at = pc.index_in(labels["image"], value_set=images["number"].combine_chunks())
        sides = images.select(["width", "height"]).take(at).to_pylist()
        most = max((len(n) for n in names.values()), default=0)
        for place, row in enumerate(labels.select(columns).to_pylist()):
            side = sides[place]["width"], sides[place]["height"]
            lines[place] = _line(row, task, side, names.get(row["label"], ()), most)
    return labels.append_column("line", pa.array(lines, pa.string()))


def _line(
    row: Mapping[str, Any], task: YoloTask, side: tuple[int, int], names: Sequence[str], most: int
) -> str:
    left, top, right, bottom = (row[e] for e in ("x_min", "y_min", "x_max", "y_max"))
    upright: Ring = ((left, top), (right, top), (right, bottom), (left, bottom))
    shape = None if row["geometry"] is None else read_shape(row["kind"], row["geometry"])
    width, height = side
    if task == "pose":
        box = [
            (left + right) / 2 / width,
            (top + bottom) / 2 / height,
            (right - left) / width,
            (bottom - top) / height,
        ]
        by_name = {p.name: p for p in shape.points} if isinstance(shape, KeyPoints) else {}
        flat: list[float] = []
        for name in names:
            point = by_name.get(name)
            flat += [point.x / width, point.y / height, point.visible] if point else [0, 0, 0]
        return " ".join(map(repr, [*box, *flat, *[0] * (3 * (most - len(names)))]))
    match shape:
        case RotatedBox():
            ring = shape.corners
        case Polygon():
            ring = joined(shape)
        case Mask():
            ring = joined(polygon_of_mask(shape))
        case _:
            ring = upright
    return " ".join(f"{x / width!r} {y / height!r}" for x, y in ring)


def joined(shape: Polygon) -> Ring:
    """One ring for all: each further one is gone round from the first point, there and back."""
    first, *rest = shape.rings
    if not rest:
        return first
    ring = [*first, first[0]]
    for other in rest:
        ring += [*other, other[0], first[0]]
    return tuple(ring[:-1])


def described(task: YoloTask, content: Content) -> dict[str, Any]:
    """What ``data.yaml`` says of the task."""
    if task == "detect":
        return {}
    if task != "pose":
        return {"task": task}
    names = content.points
    most = max((len(n) for n in names.values()), default=0)
    listed = {
        place: [*names.get(label, ()), *_blanks(most - len(names.get(label, ())))]
        for place, label in enumerate(content.labels)
    }
    return {"task": task, "kpt_shape": [most, 3], "kpt_names": listed}


def _blanks(count: int) -> list[str]:
    """Names of points that a class has not, so that all have as many."""
    return [f"none {n + 1}" for n in range(count)]
