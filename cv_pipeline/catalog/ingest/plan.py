"""Which files of a source are still to be read, and in which batches they are committed.

Batches are cut from the whole listing, not from what is left of it, so an ingest that was
interrupted forms the same batches when it goes on.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.storage import SourceEntry

BATCH_FILES = 512
BATCH_BYTES = 256 << 20

STAGE = "raw_images"
"""Stage under which refused files are quarantined."""

COMPANIONS = frozenset(
    f".{suffix}"
    for group in (
        ("txt", "md", "rst", "log", "html", "htm", "pdf", "doc", "docx"),
        ("csv", "tsv", "xls", "xlsx", "json", "jsonl", "xml", "yaml", "yml", "toml", "ini", "cfg"),
        ("parquet", "npy", "npz", "pkl", "db", "sqlite", "cache", "data", "names"),
        ("py", "ipynb", "sh", "js"),
        ("zip", "tar", "gz", "tgz"),
    )
    for suffix in group
)
"""Suffixes of what often lies beside images and is never meant to be one: left out unread."""

_BLOBS = "blobs/"
"""Where ``storage.Blobs`` keeps images, the last part of a key being the image id."""

_RETRIED = ("too_large", "too_many_pixels", "unreadable_file")
"""Refusals that may not hold any more although the file is the same: limits and permissions."""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        pending: files to read, sorted by path.
        batch_of: path of a pending file to the ordinal of its batch.
        listed: paths of all files of the source, sorted; string.
        lost: path of a pending file that is known and unchanged to the image that it held, which
            the object store has lost.
    """

    pending: list[SourceEntry]
    batch_of: dict[str, int]
    listed: pa.Array
    lost: dict[str, str]


def list_images(entries: Sequence[SourceEntry]) -> list[SourceEntry]:
    """The files of a listing that may be images, whatever their suffix."""
    return [e for e in entries if posixpath.splitext(e.path)[1].lower() not in COMPANIONS]


def plan_ingest(catalog: Catalog, entries: Sequence[SourceEntry], *, retry: bool = True) -> Plan:
    """Find the files that are new, changed or worth another try.

    Args:
        catalog: the project's tables.
        entries: the files that may be images, sorted by path.
        retry: whether files that were refused for a limit or a permission are tried again, and
            those whose image the object store has lost.
    """
    listing = pa.table(
        {
            "path": pa.array([e.path for e in entries], pa.string()),
            "fingerprint": pa.array([e.fingerprint for e in entries], pa.string()),
            "ordinal": pa.array(range(len(entries)), pa.int64()),
        }
    )
    settled = (pc.field("stage") == STAGE) & (pc.field("field") == "")
    if retry:
        settled &= ~one_of("reason", _RETRIED)
    refused = catalog.table("quarantine").read(columns=["file", "fingerprint"], filter=settled)
    files = catalog.table("files").read(columns=["path", "fingerprint", "image_id"])
    kept = _kept(catalog, files) if retry else pa.repeat(pa.scalar(True), len(files))
    known = pa.concat_tables(
        [
            files.filter(kept).select(["path", "fingerprint"]),
            refused.rename_columns(["path", "fingerprint"]),
        ]
    )
    left = listing.join(known, ["path", "fingerprint"], join_type="left anti")
    ordinals = np.sort(left["ordinal"].to_numpy())
    batches = _batch_numbers(np.array([e.size for e in entries], dtype=np.int64))
    pending = [entries[n] for n in ordinals]
    lost = files.filter(pc.invert(kept)).join(left, ["path", "fingerprint"], join_type="inner")
    return Plan(
        pending=pending,
        batch_of={e.path: int(b) for e, b in zip(pending, batches[ordinals], strict=True)},
        listed=listing["path"].combine_chunks(),
        lost=dict(zip(lost["path"].to_pylist(), lost["image_id"].to_pylist(), strict=True)),
    )


def _kept(catalog: Catalog, files: pa.Table) -> pa.ChunkedArray:
    """Whether the object store has the image of each file, by one listing of it."""
    if files.num_rows == 0:
        return pc.is_valid(files["image_id"])
    keys = pa.array([blob.key for blob in catalog.store.list(_BLOBS)], pa.string())
    stored = pc.replace_substring_regex(keys, "^.*/", "")
    return pc.is_in(files["image_id"], value_set=stored)


def _batch_numbers(sizes: np.ndarray) -> np.ndarray:
    """Ordinal of each file's batch: as many in a row as the limits allow, at least one."""
    ends = np.cumsum(sizes)
    numbers = np.empty(len(sizes), dtype=np.int64)
    start = batch = 0
    while start < len(sizes):
        room = ends[start] - sizes[start] + BATCH_BYTES
        end = int(np.searchsorted(ends, room, side="right"))
        end = max(start + 1, min(end, start + BATCH_FILES))
        numbers[start:end] = batch
        start, batch = end, batch + 1
    return numbers
