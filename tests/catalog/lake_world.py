"""A small source with every kind of file in it, and what an ingest of it must come to."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from cv_pipeline.catalog.digest import table_digest
from cv_pipeline.catalog.ingest.ingest import IngestReport, ingest
from cv_pipeline.catalog.lake import current_metadata, current_tags
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.project import Project
from cv_pipeline.storage import Blobs, ObjectStore, open_source

METADATA = """\
path,captured_at,tags,split,scene,line
good/00.jpg,2025-11-03,fresh;urgent,test,yard,1
good/01.jpg,2025-11-03T08:30:00+02:00,,,belt,2
good/02.jpg,,fresh,,yard,
"""

REFUSED = {
    "bad/bomb.png": "too_many_pixels",
    "bad/cut.jpg": "corrupt_image",
    "bad/empty.jpg": "empty_file",
    "bad/text.jpg": "not_an_image",
}


def picture(seed: int, *, format: str = "JPEG", size: tuple[int, int] = (24, 32)) -> bytes:  # noqa: A002
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes that declares 40,000 × 40,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def make_source(folder: Path, *, good: int = 6) -> Path:
    """Write ``good`` usable JPEGs, two copies, a deep and a four-band image, and the bad ones."""
    for name in ("good", "bad", "copies", "zoo"):
        (folder / name).mkdir(parents=True)
    for n in range(good):
        (folder / "good" / f"{n:02}.jpg").write_bytes(picture(n))
    (folder / "copies" / "z.jpg").write_bytes(picture(0))
    (folder / "copies" / "y.jpg").write_bytes(picture(0))
    deep = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30) * 100
    Image.fromarray(deep).save(folder / "zoo" / "deep.png")
    bands = np.zeros((10, 12, 4), np.uint16)
    tifffile.imwrite(folder / "zoo" / "bands.tif", bands, photometric="rgb", extrasamples=[0])
    (folder / "bad" / "bomb.png").write_bytes(bomb())
    (folder / "bad" / "cut.jpg").write_bytes(picture(7)[:-200])
    (folder / "bad" / "empty.jpg").write_bytes(b"")
    (folder / "bad" / "text.jpg").write_text("this is no picture")
    (folder / "notes.txt").write_text("beside the images")
    return folder


def make_project(images: Path | str, *, gold: str | None = None, **source: Any) -> Project:
    return Project(
        name="fruit",
        task="classification",
        charter={"problem": "a test"},
        source={"images": str(images), **source},
        annotations={"source": "labels.csv", "gold": gold},
        ontology={"labels": ["a"]},
        training={"model": "m", "input_size": (32, 32)},
    )


def run_ingest(store: ObjectStore, project: Project) -> IngestReport:
    return ingest(
        project=project,
        catalog=Catalog(store, project.name),
        blobs=Blobs(store),
        source=open_source(project.source.images),
        progress=lambda done, total, what: None,
    )


TIMES = ("at", "ingested_at")
SORTED: dict[str, Sequence[str]] = {
    "batches": ["batch"],
    "files": ["path"],
    "image_metadata": ["image_id", "key"],
    "image_tags": ["image_id", "tag"],
    "images": ["image_id"],
    "quarantine": ["stage", "file", "field"],
}


def content(catalog: Catalog) -> dict[str, str]:
    """Digest of everything in the tables but the times at which it was written."""
    digests = {}
    for name, keys in SORTED.items():
        rows = catalog.table(name).read()
        rows = rows.drop_columns([c for c in TIMES if c in rows.schema.names])
        digests[name] = table_digest(rows, schema_id=name, sort_by=keys)
    for name, rows in (("m", current_metadata(catalog)), ("t", current_tags(catalog))):
        digests[name] = table_digest(rows, schema_id=name, sort_by=rows.schema.names)
    return digests
