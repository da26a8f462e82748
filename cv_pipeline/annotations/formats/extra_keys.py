"""Keys that this project adds to JSON exports, beside those of the format; other readers pass over
them. What is read back here is what ``write`` of COCO, WebDataset and Hugging Face wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from cv_pipeline.annotations.raw import RawImage
from cv_pipeline.annotations.values import (
    as_finite,
    as_number,
    as_role,
    as_text,
    as_time,
    attributes_json,
    pseudonym,
)

Box = tuple[float, float, float, float]


class Work(TypedDict):
    """Who made an object, and when: the columns of a raw row that say so."""

    annotator: str
    role: str
    lead_time: float | None
    created_at: datetime | None
    updated_at: datetime | None


def read_work(entry: Mapping[str, Any]) -> Work:
    """Who made an object, and when; what is absent or unreadable is not known."""
    return Work(
        annotator=pseudonym(entry.get("annotator")),
        role=as_role(entry.get("role")),
        lead_time=as_finite(entry.get("lead_time")),
        created_at=as_time(entry.get("created_at")),
        updated_at=as_time(entry.get("updated_at")),
    )


def read_box(entry: Mapping[str, Any]) -> Box | None:
    """The edges of ``bbox``, which is x, y, width, height; None when it is no box.

    ``x + width`` cannot always give an edge to the last bit, so ``edges`` counts where it fits
    ``bbox``; where it does not, somebody moved the box and left it behind.
    """
    box = _numbers(entry.get("bbox"))
    if box is None:
        return None
    x, y, width, height = box
    edges = _numbers(entry.get("edges"))
    if edges is not None and box == (
        *edges[:2],
        edges[2] - edges[0],
        edges[3] - edges[1],
    ):
        return edges
    return x, y, x + width, y + height


def read_facts(path: str, split: str | None, entry: Mapping[str, Any]) -> RawImage:
    """What an export says of an image itself."""
    metadata = entry.get("metadata")
    plain = {
        name: value
        for key, value in (metadata.items() if isinstance(metadata, dict) else ())
        if (name := as_text(key)) and as_text(value)
    }
    return RawImage(path, split, as_time(entry.get("captured_at")), attributes_json(plain) or "{}")


def _numbers(values: object) -> Box | None:
    """Four numbers; NaN stays, so that it is named later."""
    if not isinstance(values, list) or len(values) != 4:
        return None
    found = [as_number(v) for v in values]
    if any(n is None for n in found):
        return None
    first, second, third, fourth = (n for n in found if n is not None)
    return first, second, third, fourth
