"""Suggestions as rows of ``prelabels``, in the shapes that annotators draw."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.annotations.geometry import KeyPoints, Mask, Polygon, RotatedBox, polygon
from cv_pipeline.catalog.schemas import PRELABELS
from cv_pipeline.plugins.label import Found, Unlabelled

NONE = "none"
"""Kind of the row of an image on which nothing is suggested."""
EDGES = ("x_min", "y_min", "x_max", "y_max")

_KINDS = {RotatedBox: "rotated_box", Polygon: "polygon", Mask: "mask", KeyPoints: "keypoints"}
_HAVE_BOXES = frozenset({"bbox", "rotated_box", "keypoints"})


def drawable(found: Found, images: Unlabelled) -> Found:
    """Suggestions that annotators can change: boxes are drawn as outlines where they draw those
    alone, and left out where they draw masks alone.

    Args:
        found: what is suggested.
        images: say which shapes annotators draw.
    """
    if not images.boxes or not _HAVE_BOXES.isdisjoint(images.kinds):
        return found
    shapes = found.shapes or (None,) * len(found)
    if "polygon" not in images.kinds:
        return found.take(np.array([shape is not None for shape in shapes], bool))
    outlined = tuple(
        shape if shape is not None else _outline(box)
        for shape, box in zip(shapes, found.boxes.tolist(), strict=True)
    )
    return replace(found, shapes=outlined)


def prelabel_rows(
    images: Unlabelled, found: Found, uncertainty: NDArray[np.float64], *, by: str
) -> pa.Table:
    """Schema PRELABELS: a row for each object, and one for each image without any.

    Args:
        images: what was looked at.
        found: what is suggested on them.
        uncertainty: (n,) of each image.
        by: digest of the model, or name of the algorithm.
    """
    order = np.lexsort((found.label, -found.score, found.image))
    found = found.take(order)
    number = np.arange(len(found)) - np.searchsorted(found.image, found.image)
    empty = np.setdiff1d(np.arange(len(images)), found.image)
    none = len(empty)
    image = np.concatenate([found.image, empty])
    label = pa.array(images.labels, pa.string()).take(pa.array(found.label))
    kinds, texts = _told(found, plain="bbox" if images.boxes else "class")
    boxes = np.concatenate([found.boxes, np.full((none, 4), np.nan)])
    columns = {
        "image_id": images.image_ids.take(pa.array(image)),
        "model": pa.repeat(by, len(image)),
        "object": np.concatenate([number, np.full(none, -1)]),
        "label": pa.concat_arrays([label, pa.repeat("", none)]),
        "kind": pa.array([*kinds, *[NONE] * none], pa.string()),
        **{name: pa.array(boxes[:, n], from_pandas=True) for n, name in enumerate(EDGES)},
        "geometry": pa.array([*texts, *[None] * none], pa.string()),
        "score": np.concatenate([found.score, np.zeros(none)]),
        "uncertainty": uncertainty[image],
        "made_at": pa.repeat(pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")), len(image)),
    }
    return pa.table(columns).cast(PRELABELS)


def _told(found: Found, *, plain: str) -> tuple[list[str], list[str | None]]:
    """Kind and geometry of each object."""
    shapes = found.shapes or (None,) * len(found)
    kinds = [plain if shape is None else _KINDS[type(shape)] for shape in shapes]
    return kinds, [None if shape is None else shape.text for shape in shapes]


def _outline(box: list[float]) -> Polygon:
    left, top, right, bottom = box
    return polygon([[(left, top), (right, top), (right, bottom), (left, bottom)]])
