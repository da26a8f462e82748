"""A small project with labels of every kind of geometry, some of them hostile."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cv_pipeline.annotations.geometry import KeyPoint, Mask, keypoints, polygon, rotated_box
from cv_pipeline.annotations.geometry.run_lengths import runs_of_mask
from cv_pipeline.catalog.schemas import ANNOTATIONS, PRELABELS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.storage import open_store
from tests.inspector.pixels.pictured import make_template

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIZE = (400, 300)
"""Width and height of ``photo.jpg`` and of the others."""
HOSTILE = "gone-0.jpg"
RING = polygon(
    [
        [(30, 30), (130, 30), (130, 130), (30, 130)],
        [(60, 60), (100, 60), (100, 100), (60, 100)],
    ],
    holes=[1],
)
TURNED = rotated_box((220, 80), (100, 40), 30)
BODY = keypoints(
    [
        KeyPoint("head", 300, 200, 2),
        KeyPoint("left", 270, 250, 1),
        KeyPoint("right", 340, 250, 2),
    ]
)


def disc() -> Mask:
    """A round mask."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    return Mask((SIZE[1], SIZE[0]), runs_of_mask((x - 120) ** 2 + (y - 210) ** 2 < 60**2))


@cache
def a_million_points() -> str:
    """A polygon of 1,000,000 points, as JSON."""
    turn = np.linspace(0, 2 * np.pi, 1_000_000, endpoint=False)
    far = 100 + 8 * np.sin(50 * turn)
    ring = np.round(np.c_[200 + far * np.cos(turn), 150 + far * np.sin(turn)], 4)
    return json.dumps({"rings": [ring.tolist()]}, separators=(",", ":"))


def huge_mask() -> Mask:
    """A mask of 30,000 × 30,000 pixels: a square in the middle."""
    side, low, high = 30_000, 10_000, 20_000
    runs = [side * low + low]
    for _ in range(low, high):
        runs += [high - low, side - (high - low)]
    runs[-1] += side * low - low
    return Mask((side, side), np.array(runs))


def make_shaped(folder: Path) -> dict[str, str]:
    """Write the project; returns the ids of its images by name."""
    ids = make_template(folder)
    catalog = Catalog(open_store(str(folder / "home" / "store")), "pictured")
    photo, hostile, whole = (ids[name] for name in ("photo.jpg", HOSTILE, "gone-1.jpg"))
    first = [
        _label(photo, "a", "polygon", (30, 30, 130, 130), RING.text, occluded=True, view="side"),
    ]
    table = catalog.table("annotations")
    table.merge(_rows(first), on=["annotation_id"])  # version of an earlier state
    more = [
        _label(photo, "b", "rotated_box", (167, 37, 273, 123), TURNED.text, annotator="ben"),
        _label(photo, "c", "mask", (60, 150, 180, 270), disc().text, label="blue"),
        _label(photo, "d", "keypoints", (265, 190, 345, 260), BODY.text, annotator="ben"),
        _label(photo, "e", "bbox", (300, 20, 380, 90), None, label="blue"),
        _label(photo, "f", "class", None, None),
        _label(photo, "g", "tag", None, None, label="windy"),
        _label(whole, "h", "class", None, None, label="blue"),
        _label(hostile, "i", "polygon", (92, 42, 308, 258), a_million_points()),
        _label(hostile, "j", "mask", (133, 100, 267, 200), huge_mask().text, label="blue"),
        _label(hostile, "k", "polygon", (10, 10, 60, 60), '{"rings":[[[NaN,1],[2,NaN],[3,4]]]}'),
        _label(hostile, "l", "polygon", (float("nan"), 0, 10, 10), '{"rings":"none"}'),
    ]
    table.merge(_rows(more), on=["annotation_id"])
    suggested = [
        {"object": 0, "kind": "bbox", "x_min": 25.0, "y_min": 28.0, "x_max": 128.0, "y_max": 133.0},
        {"object": 1, "kind": "polygon", "geometry": RING.text, "x_min": 30.0, "y_min": 30.0}
        | {"x_max": 130.0, "y_max": 130.0},
    ]
    catalog.table("prelabels").merge(
        pa.Table.from_pylist(
            [
                {"image_id": photo, "model": "ab" * 32, "label": "red", "score": 0.8}
                | {"uncertainty": 0.1, "made_at": AT, "geometry": None}
                | one
                for one in suggested
            ],
            schema=PRELABELS,
        ),
        on=["image_id", "model", "object"],
    )
    return ids


def _label(
    image_id: str,
    name: str,
    kind: str,
    bounds: tuple[float, float, float, float] | None,
    geometry: str | None,
    *,
    label: str = "red",
    annotator: str = "ann",
    **attributes: Any,
) -> dict[str, Any]:
    edges = bounds or (None, None, None, None)
    return {
        "annotation_id": name * 32,
        "image_id": image_id,
        "label": label,
        "kind": kind,
        **dict(zip(("x_min", "y_min", "x_max", "y_max"), edges, strict=True)),
        "geometry": geometry,
        "attributes": json.dumps(attributes, sort_keys=True, separators=(",", ":")),
        "annotator": annotator,
        "role": "annotator" if annotator == "ann" else "reviewer",
        "ontology_version": "3",
        "guideline_version": "2",
        "lead_time": 12.5,
        "created_at": AT,
        "updated_at": AT,
        "source": "made.json",
        "original_id": name,
    }


def _rows(labels: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(labels, schema=ANNOTATIONS)
