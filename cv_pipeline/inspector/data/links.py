"""Addresses that the data pages lead to, and the queries in them.

Values are quoted as the query language does it and then encoded for an address, so that no label,
key or name can become part of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from cv_pipeline.inspector.rendering import query_string

SHORT_DIGEST = 16
"""Characters of a digest in a query: enough to mean one thing alone."""
MOST_IMAGES = 150
"""Images that one query names at most, so that its address stays short enough for any server."""


def quoted(text: str) -> str:
    """A text as a value of the query language."""
    return "'" + text.replace("'", "''") + "'"


def page(project: str, *parts: str, **values: Any) -> str:
    """Address of a page of a project."""
    path = "/".join(quote(part, safe="") for part in ("p", project, *parts))
    asked = query_string(values)
    return f"/{path}{'?' if asked else ''}{asked}"


def grid(project: str, query: str, **values: Any) -> str:
    """Address of the images that a query selects."""
    return page(project, "images", q=query, **values)


def image(project: str, image_id: str, **values: Any) -> str:
    """Address of one image."""
    return page(project, "images", image_id, **values)


def of_dataset(project: str, digest: str, *, split: str | None = None) -> str:
    """The query for the images of a dataset version, or of one of its splits."""
    within = f", split = {quoted(split)}" if split else ""
    return f"dataset({quoted(f'{project}@{digest[:SHORT_DIGEST]}')}{within})"


def first_of(count: int) -> int:
    """How many there are, where :func:`of_images` names the first of them alone; else 0."""
    return count if count > MOST_IMAGES else 0


def of_images(image_ids: Sequence[str]) -> str:
    """The query for some images; for the first :data:`MOST_IMAGES` of them where there are more."""
    named = dict.fromkeys(i[:SHORT_DIGEST] for i in image_ids[:MOST_IMAGES])
    return f"image in ({', '.join(quoted(i) for i in named)})" if named else "image in ('00000000')"
