"""The commit of checked files: one order of writes in which every prefix is harmless.

Events come first, then images, batches and the quarantine, and ``files`` last: a file counts as
ingested once it is there. Whatever a killed process had written before is found by the next one
and written no second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.digest import table_digest
from cv_pipeline.catalog.ingest.declarations import (
    Declarations,
    image_facts,
    image_tag_lists,
    image_values,
)
from cv_pipeline.catalog.ingest.events import record_tags, record_values
from cv_pipeline.catalog.ingest.plan import STAGE
from cv_pipeline.catalog.ingest.read import AcceptedFile, CheckedBatch
from cv_pipeline.catalog.quarantine import reconcile_refusals
from cv_pipeline.catalog.schemas import BATCHES, FILES, IMAGES
from cv_pipeline.catalog.tables import Catalog, one_of


def commit_batches(
    catalog: Catalog,
    batches: Sequence[CheckedBatch],
    *,
    declarations: Declarations,
    source_url: str,
) -> int:
    """Write checked files to the catalogue.

    Args:
        catalog: the project's tables.
        batches: the files; their batches are recorded one by one, and written together.
        declarations: what is known about the files.
        source_url: where the files are from.

    Returns:
        How many images are new.
    """
    named = [(_name(batch), batch) for batch in batches if batch.accepted]
    firsts = _first_files(named)
    known = _known_batches(catalog, list(firsts))
    new = {i: first for i, first in firsts.items() if i not in known}
    if new:
        files = pa.table({"path": [f.entry.path for _, f in new.values()], "image_id": list(new)})
        record_values(catalog, image_values(declarations, files=files))
        record_tags(catalog, image_tag_lists(declarations, files=files))
        rows = _image_rows(new, image_facts(declarations, files=files), source_url)
        catalog.table("images").insert(rows, on=["image_id"])
    counts = {name: 0 for name, _ in named}
    for image_id, (name, _) in firsts.items():
        counts[name] += known.get(image_id, name) == name
    batch_rows = _batch_rows(named, counts)
    catalog.table("batches").insert(batch_rows, on=["batch"])
    tried = [f.entry.path for _, batch in named for f in batch.accepted]
    refused = [r for batch in batches for r in batch.refused]
    tried += [r.file for r in refused]
    tried += [path for batch in batches for path in batch.mended]
    whole = (pc.field("field") == "") & one_of("file", tried)
    reconcile_refusals(catalog, stage=STAGE, within=whole, refusals=refused)
    catalog.table("files").merge(_file_rows(named), on=["path"])
    return len(new)


def _name(batch: CheckedBatch) -> str:
    """Digest of the paths and contents that a batch brings."""
    pairs = {
        "path": [file.entry.path for file in batch.accepted],
        "image_id": [file.image_id for file in batch.accepted],
    }
    return table_digest(pa.table(pairs), schema_id="ingest-batch/1", sort_by=["path"])


def _first_files(
    named: Sequence[tuple[str, CheckedBatch]],
) -> dict[str, tuple[str, AcceptedFile]]:
    """Image to the batch and the file, of those that hold it, with the smallest path."""
    firsts: dict[str, tuple[str, AcceptedFile]] = {}
    files = [(file, name) for name, batch in named for file in batch.accepted]
    for file, name in sorted(files, key=lambda pair: pair[0].entry.path):
        firsts.setdefault(file.image_id, (name, file))
    return firsts


def _known_batches(catalog: Catalog, image_ids: list[str]) -> dict[str, str]:
    """Those of the images that the catalogue has, with the batch that brought each."""
    rows = catalog.table("images").read(
        columns=["image_id", "batch"], filter=one_of("image_id", image_ids)
    )
    return dict(zip(rows["image_id"].to_pylist(), rows["batch"].to_pylist(), strict=True))


def _image_rows(
    new: dict[str, tuple[str, AcceptedFile]], facts: pa.Table, source_url: str
) -> pa.Table:
    now = datetime.now(UTC)
    declared = {row["image_id"]: row for row in facts.to_pylist()}
    rows = [
        {
            "image_id": image_id,
            "path": file.entry.path,
            "source": source_url,
            "format": file.info.format,
            "width": file.info.width,
            "height": file.info.height,
            "bands": file.info.bands,
            "dtype": file.info.dtype,
            "bytes": file.bytes,
            "captured_at": declared[image_id]["captured_at"] or file.captured_at,
            "exif_captured_at": file.captured_at,
            "split": declared[image_id]["split"],
            "batch": batch,
            "ingested_at": now,
        }
        for image_id, (batch, file) in new.items()
    ]
    return pa.Table.from_pylist(rows, schema=IMAGES)


def _batch_rows(named: Sequence[tuple[str, CheckedBatch]], images: dict[str, int]) -> pa.Table:
    now = datetime.now(UTC)
    rows = {
        name: {
            "batch": name,
            "files": batch.tried,
            "images": images[name],
            "duplicates": len(batch.accepted) - images[name],
            "quarantined": len(batch.refused),
            "bytes": batch.bytes,
            "ingested_at": now,
        }
        for name, batch in named
    }
    return pa.Table.from_pylist(list(rows.values()), schema=BATCHES)


def _file_rows(named: Sequence[tuple[str, CheckedBatch]]) -> pa.Table:
    rows = [
        {
            "path": file.entry.path,
            "image_id": file.image_id,
            "bytes": file.bytes,
            "fingerprint": file.entry.fingerprint,
            "batch": name,
        }
        for name, batch in named
        for file in batch.accepted
    ]
    return pa.Table.from_pylist(rows, schema=FILES)
