"""Our annotations as the ``result`` of a Label Studio annotation or prediction.

What is written here is what ``label_studio_regions`` reads. Names of controls are those of the
generated labelling configuration.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from cv_pipeline.annotations.formats.label_studio_names import (
    CONTROLS,
    IMAGE,
    attribute_control,
)
from cv_pipeline.annotations.formats.label_studio_shapes import (
    brush_value,
    polygon_value,
    rectangle_value,
    turned_value,
)
from cv_pipeline.annotations.geometry import (
    KeyPoints,
    Polygon,
    RotatedBox,
    read_shape,
)

_EDGES = ("x_min", "y_min", "x_max", "y_max")
_WORK = ("lead_time", "created_at", "updated_at")


def result_of(rows: pa.Table, *, width: int, height: int) -> list[dict[str, Any]]:
    """Annotations or pre-labels of one image as a ``result``.

    Args:
        rows: columns ``label``, ``kind``, the four edges and ``geometry``, and where there are any
            ``score``, ``attributes`` and an id, ``annotation_id`` or ``object``.
        width: of the image, in pixels.
        height: likewise.

    Raises:
        BadShape: a geometry is none of its kind.
    """
    return list(_Writer(width, height).results(rows.to_pylist()))


class _Writer:
    """Writes the regions of one image.

    Args:
        width: of the image, in pixels.
        height: likewise.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = {"width": width, "height": height}

    def results(self, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        classes = sum(row["kind"] == "class" for row in rows)
        for place, row in enumerate(rows):
            key = str(row.get("annotation_id") or row.get("object") or "") or "region"
            identifier = f"{key}-{place}" if "object" in row or key == "region" else key
            match row["kind"]:
                case "class":
                    yield from self._image_level(identifier, row, alone=classes == 1)
                case "tag":
                    yield from self._image_level(identifier, row, alone=False)
                case _:
                    yield from self._region(identifier, row)

    def _region(self, identifier: str, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        kind = row["kind"]
        edges = [row[edge] for edge in _EDGES]
        shape = read_shape(kind, row["geometry"]) if kind != "bbox" else None
        value: dict[str, Any]
        match shape:
            case RotatedBox():
                value = turned_value(shape, **self._size)
            case Polygon(rings=[_]):
                value = polygon_value(shape, **self._size)
            case None | KeyPoints():
                kind = "bbox"
                value = rectangle_value(edges, **self._size)
            case _:  # pixels, and several rings, which no polygon has there
                kind = "mask"
                value = brush_value(shape, **self._size)
        yield self._labelled(identifier, kind, value, row["label"]) | _told(row)
        place_of_it = {} if kind == "mask" else value  # a picture is not said twice
        yield from self._answers(identifier, row, of_image=False, value=place_of_it)
        if isinstance(shape, KeyPoints):
            for place, point in enumerate(shape.points):
                at = {
                    "x": point.x / self._size["width"] * 100,
                    "y": point.y / self._size["height"] * 100,
                    "width": 0.5,
                }
                made = self._labelled(f"{identifier}-{place}", "keypoints", at, point.name)
                seen = {} if point.visible == 2 else {"meta": {"visible": point.visible}}
                yield made | {"parentID": identifier} | seen

    def _image_level(
        self, identifier: str, row: Mapping[str, Any], *, alone: bool
    ) -> Iterator[dict[str, Any]]:
        made = self._result(identifier, row["kind"], {"choices": [row["label"]]}, "choices")
        if alone:
            yield made | _told(row)
            yield from self._answers(identifier, row, of_image=True, value={})
        else:
            yield made | _told(row, everything=True)

    def _answers(
        self, identifier: str, row: Mapping[str, Any], *, of_image: bool, value: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """A choice for each attribute that is one."""
        for name, answer in _attributes(row).items():
            if not _is_choice(name, answer):
                continue
            values = () if answer is True else (answer,)
            control = attribute_control(name, values, of_image=of_image)
            chosen = [control if answer is True else answer]
            key = f"{identifier}-{control}" if of_image else identifier
            yield {
                **self._result(key, "class", {**value, "choices": chosen}, "choices"),
                "from_name": control,
            }

    def _labelled(
        self, identifier: str, kind: str, value: dict[str, Any], label: str
    ) -> dict[str, Any]:
        type_ = CONTROLS[kind][1].lower()
        return self._result(identifier, kind, {**value, type_: [label]}, type_)

    def _result(
        self, identifier: str, kind: str, value: dict[str, Any], type_: str
    ) -> dict[str, Any]:
        return {
            "id": identifier,
            "from_name": CONTROLS[kind][0],
            "to_name": IMAGE,
            "type": type_,
            "origin": "manual",
            "image_rotation": 0,
            "original_width": self._size["width"],
            "original_height": self._size["height"],
            "value": value,
        }


def _attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row.get("attributes") or "{}")
    return found


def _is_choice(name: str, answer: object) -> bool:
    """Whether a choice can say it: a box to tick, or one of some texts."""
    if not name.strip() or name != name.strip() or name.startswith("meta."):
        return False
    text = isinstance(answer, str) and answer == answer.strip() and bool(answer)
    return answer is True or (text and answer != name)


def _told(row: Mapping[str, Any], *, everything: bool = False) -> dict[str, Any]:
    """What a result says beside its shape: the score, times, and attributes that are no choice."""
    told: dict[str, Any] = {}
    if row.get("score") is not None:
        told["score"] = row["score"]
    work = {name: row.get(name) for name in _WORK if row.get(name) is not None}
    if row.get("role", "annotator") != "annotator":
        work["role"] = row["role"]
    rest = {
        name: answer
        for name, answer in _attributes(row).items()
        if everything or not _is_choice(name, answer)
    }
    meta: dict[str, Any] = {"attributes": rest} if rest else {}
    if work:
        meta["work"] = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in work.items()
        }
    if meta:
        told["meta"] = meta
    return told
