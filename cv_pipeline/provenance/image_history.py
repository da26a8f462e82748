"""Everything that ever used an image, with its labels as they were each time.

Dataset versions come from the event log, membership and labels from their immutable manifests;
models, metrics and whatever else followed come from the event log again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as pads

from cv_pipeline.errors import ProvenanceError
from cv_pipeline.provenance.event_log import EventLog, Materialization
from cv_pipeline.provenance.trace import Node, Trace, node_of, trace_down, trace_up
from cv_pipeline.storage import ObjectStore
from cv_pipeline.storage.folders import fetch

LEAST_PREFIX = 8
LABEL_COLUMNS = ["label", "x_min", "y_min", "x_max", "y_max", "attributes", "annotator"]


@dataclass(frozen=True)
class DatasetFolder:
    """A dataset version and the folder of its manifest."""

    event: Materialization
    folder: Path


def dataset_folders(
    log: EventLog, store: ObjectStore, *, cache: Path, project: str | None = None
) -> Iterator[DatasetFolder]:
    """Every distinct dataset version, oldest first, with its folder."""
    for key in log.asset_keys(project):
        if not key.endswith("/dataset_version"):
            continue
        seen: set[str] = set()
        for event in log.oldest_first(key):
            if event.version not in seen:
                seen.add(event.version)
                where = f"projects/{event.project}/datasets/{event.version}"
                folder = fetch(store, where, marker="dataset.json", cache=cache)
                yield DatasetFolder(event, folder)


def trace_image(
    log: EventLog, store: ObjectStore, ref: str, *, cache: Path, project: str | None = None
) -> Trace:
    """An image, the raw set that brought it (up), and all that used it (down).

    Args:
        log: the event log.
        store: the object store.
        ref: SHA-256 of the image, a prefix of at least eight characters, a file, or the path that
            the image has in its source.
        cache: folder for manifests of a remote store.
        project: only this project's dataset versions.

    Raises:
        ProvenanceError: no dataset version holds such an image, or the reference fits several.
    """
    wanted = _condition(ref)
    image_id, path = "", ref
    down: list[Trace] = []
    up: list[Trace] = []
    for dataset in dataset_folders(log, store, cache=cache, project=project):
        manifest = pads.dataset(dataset.folder / "manifest.parquet", format="parquet")
        rows = manifest.to_table(columns=["image_id", "path", "split"], filter=wanted).to_pylist()
        for row in rows:
            if image_id and row["image_id"] != image_id:
                raise ProvenanceError(
                    f"{ref!r} fits several images: {image_id[:16]}… and {row['image_id'][:16]}….",
                    do="Give more of its SHA-256.",
                )
            image_id, path = row["image_id"], row["path"]
            down.append(_used_by(log, dataset, row))
            up = up or _brought_by(log, dataset.event)
    if not image_id:
        raise ProvenanceError(
            f"No dataset version holds an image {ref!r}.",
            do="Give its SHA-256, a prefix of 8 or more, a file, or its path in the source.",
        )
    return Trace(Node("image", path, image_id), up=up, down=down)


def _condition(ref: str) -> Any:
    """Arrow filter for the images that a reference may mean."""
    local = Path(ref)
    if local.is_file():
        digest = hashlib.sha256(local.read_bytes()).hexdigest()
        return pads.field("image_id") == digest
    by_path = pads.field("path") == ref
    is_hex = len(ref) >= LEAST_PREFIX and all(c in "0123456789abcdef" for c in ref)
    if not is_hex:
        return by_path
    # a range, so that row groups of the sorted column are skipped
    above = (pads.field("image_id") >= ref) & (pads.field("image_id") <= ref + "g")
    return above | by_path


def _used_by(log: EventLog, dataset: DatasetFolder, row: dict[str, Any]) -> Trace:
    annotations = pads.dataset(dataset.folder / "annotations.parquet", format="parquet").to_table(
        columns=LABEL_COLUMNS, filter=pc.field("image_id") == row["image_id"]
    )
    node = node_of(dataset.event)
    metadata = {**node.metadata, "split": row["split"], "labels": annotations.to_pylist()}
    return Trace(replace(node, metadata=metadata), down=trace_down(log, dataset.event))


def _brought_by(log: EventLog, event: Materialization) -> list[Trace]:
    """The raw image set above a dataset version."""
    for trace in trace_up(log, event):
        found = _find(trace, "images")
        if found is not None:
            return [found]
    return []


def _find(trace: Trace, kind: str) -> Trace | None:
    if trace.node.kind == kind:
        return trace
    return next((f for up in trace.up if (f := _find(up, kind)) is not None), None)
