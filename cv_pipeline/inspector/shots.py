"""Evaluated images as strips show them: what is wrong on each, in words and as boxes.

Only what concerns the shown images is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from cv_pipeline.datasets.image_rows import rows_of_images
from cv_pipeline.datasets.record import ANNOTATIONS_FILE, MANIFEST_FILE
from cv_pipeline.evaluation.detection.error_kinds import CORRECT, MISSED
from cv_pipeline.evaluation.report.pictures import mistakes_in_words
from cv_pipeline.provenance.evaluated import Evaluated

_EDGES = ("x_min", "y_min", "x_max", "y_max")
_MOST_BOXES = 60
Outline = Literal["right", "wrong", "missed"]


class ShotBox(BaseModel):
    """One box, in pixels of the image; right, wrong (a prediction) or missed (an object)."""

    kind: Outline
    words: str
    x: float
    y: float
    width: float
    height: float


class Shot(BaseModel):
    """One image of a strip.

    Attributes:
        image_id: the image.
        path: its path in its source.
        width: pixels; 0 where it is not known.
        height: pixels.
        caption: what is wrong on it, in words.
        boxes: right ones first, so that mistakes are drawn over them.
    """

    image_id: str
    path: str
    width: int
    height: int
    caption: str
    boxes: list[ShotBox]


def shots(
    evaluated: Evaluated, image_ids: Sequence[str], *, label: str | None = None
) -> list[Shot]:
    """Some evaluated images, in their order, each once.

    Args:
        evaluated: the evaluation.
        image_ids: the images.
        label: only what concerns this class; None for all.
    """
    ids = list(dict.fromkeys(image_ids))
    if not ids:
        return []
    matches = evaluated.evaluation.matches
    of_image: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in matches.filter(
        pc.is_in(matches["image_id"], value_set=pa.array(ids, pa.string()))
    ).to_pylist():
        if label is None or label in (row["truth"], row["predicted"]):
            of_image[row["image_id"]].append(row)
    objects = _rows(evaluated, "datasets", ids, ["image_id", "annotation_id", *_EDGES])
    found = _rows(evaluated, "predictions", ids, ["image_id", "rank", *_EDGES])
    known = {r["image_id"]: r for r in _manifest(evaluated, ids)}
    by_object = {r["annotation_id"]: r for r in objects}
    by_rank = {(r["image_id"], r["rank"]): r for r in found}
    made = []
    for image_id in ids:
        told = known.get(image_id, {})
        rows = of_image[image_id]
        boxes = [
            box
            for row in rows[:_MOST_BOXES]
            if (box := _box(row, by_object=by_object, by_rank=by_rank)) is not None
        ]
        made.append(
            Shot(
                image_id=image_id,
                path=str(told.get("path", image_id[:12])),
                width=int(told.get("width", 0)),
                height=int(told.get("height", 0)),
                caption=mistakes_in_words(rows),
                boxes=sorted(boxes, key=lambda b: b.kind != "right"),
            )
        )
    return made


def _box(
    row: Mapping[str, Any],
    *,
    by_object: Mapping[str, Mapping[str, Any]],
    by_rank: Mapping[tuple[str, int], Mapping[str, Any]],
) -> ShotBox | None:
    missed = row["kind"] == MISSED
    place = (
        by_object.get(row["annotation_id"])
        if missed
        else by_rank.get((row["image_id"], row["rank"]))
    )
    if place is None or place["x_min"] is None:
        return None
    kind: Outline = "missed" if missed else "right" if row["kind"] == CORRECT else "wrong"
    words = f"missed {row['truth']}" if missed else f"{row['predicted']} {row['score']:.2f}"
    return ShotBox(
        kind=kind,
        words=words,
        x=float(place["x_min"]),
        y=float(place["y_min"]),
        width=float(place["x_max"] - place["x_min"]),
        height=float(place["y_max"] - place["y_min"]),
    )


def _rows(
    evaluated: Evaluated, kind: str, ids: Sequence[str], columns: Sequence[str]
) -> list[dict[str, Any]]:
    if kind == "datasets":
        name, digest = ANNOTATIONS_FILE, evaluated.dataset.version
    else:
        name, digest = "predictions.parquet", evaluated.predictions.version
    where = evaluated.store.arrow(f"projects/{evaluated.project}/{kind}/{digest}/{name}")
    rows: list[dict[str, Any]] = rows_of_images(where, ids, columns=columns).to_pylist()
    return rows


def _manifest(evaluated: Evaluated, ids: Sequence[str]) -> list[dict[str, Any]]:
    key = f"projects/{evaluated.project}/datasets/{evaluated.dataset.version}/{MANIFEST_FILE}"
    rows: list[dict[str, Any]] = rows_of_images(
        evaluated.store.arrow(key), ids, columns=["image_id", "path", "width", "height"]
    ).to_pylist()
    return rows
