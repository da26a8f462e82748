"""A small lake written from events, in the order given."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from cv_pipeline.catalog.schemas import ANNOTATIONS, IMAGE_METADATA, IMAGE_TAGS, IMAGES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.storage import open_store

DAY = dt.datetime(2025, 11, 1, tzinfo=dt.UTC)
FILLERS: dict[Any, Any] = {
    pa.string(): "",
    pa.int32(): 1,
    pa.int64(): 1,
    pa.timestamp("us", "UTC"): DAY,
}


def rows_of(schema: pa.Schema, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows of a schema, the columns that a test does not care for filled with something."""
    blank = {f.name: None if f.nullable else FILLERS.get(f.type, "") for f in schema}
    return pa.Table.from_pylist([blank | row for row in rows], schema=schema)


@contextmanager
def lake(
    *,
    images: dict[str, dt.datetime | None],
    metadata: Sequence[tuple[str, str, str | None]] = (),
    tags: Sequence[tuple[str, str, bool]] = (),
    labelled: Collection[str] = (),
) -> Iterator[Catalog]:
    """A small lake whose events happened in the order given."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(open_store(folder), "fruit")
        captured = [{"image_id": i, "captured_at": at} for i, at in images.items()]
        catalog.table("images").merge(rows_of(IMAGES, captured), on=["image_id"])
        at = [DAY + dt.timedelta(seconds=n) for n in range(max(len(metadata), len(tags)))]
        catalog.table("image_metadata").append(
            rows_of(
                IMAGE_METADATA,
                [
                    {"image_id": i, "key": k, "value": v, "at": t}
                    for (i, k, v), t in zip(metadata, at, strict=False)
                ],
            )
        )
        catalog.table("image_tags").append(
            rows_of(
                IMAGE_TAGS,
                [
                    {"image_id": i, "tag": g, "present": p, "at": t}
                    for (i, g, p), t in zip(tags, at, strict=False)
                ],
            )
        )
        rows = [
            {"annotation_id": f"n{n}", "image_id": i} for n, i in enumerate(sorted(labelled) * 2)
        ]
        catalog.table("annotations").merge(rows_of(ANNOTATIONS, rows), on=["annotation_id"])
        yield catalog
