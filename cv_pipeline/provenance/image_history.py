"""Everything that ever used an image, with its labels as they were each time.

Dataset versions come from the event log, membership and labels from their immutable folders; what
was made from a version comes from the event log again. Of each folder only what concerns the image
is read, so that the answer takes a second over dozens of versions of a million images.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.image_references import VersionIndex, find_image
from cv_pipeline.datasets.image_rows import rows_at, rows_of_images
from cv_pipeline.datasets.membership import open_membership
from cv_pipeline.datasets.record import ANNOTATIONS_FILE, MANIFEST_FILE
from cv_pipeline.errors import ObjectNotFound, ProvenanceError
from cv_pipeline.provenance.event_log import Materialization
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.takeout_marks import MARK
from cv_pipeline.provenance.trace import Node, Trace, node_of, trace_down, trace_up
from cv_pipeline.storage import ObjectStore, Tombstone, Tombstones

LABEL_COLUMNS = ("label", "x_min", "y_min", "x_max", "y_max", "attributes", "annotator")
LOST = "its folder is not in the store, so whether it held the image cannot be told"
_READERS = 8


@dataclass(frozen=True)
class DatasetInLog(VersionIndex):
    """A dataset version, the index of its images, and the event that made it first."""

    event: Materialization


@dataclass(frozen=True)
class DatasetsInLog:
    """The dataset versions of an event log.

    Attributes:
        found: those whose folder is in the store, oldest first within their project.
        lost: the first event of those whose folder is not: nobody can tell what they held.
    """

    found: list[DatasetInLog]
    lost: list[Materialization]


@dataclass(frozen=True)
class Appearance:
    """An image in one dataset version.

    Attributes:
        dataset: the version.
        path: path of the image in its source.
        split: train, val or test.
        labels: its labels there: columns LABEL_COLUMNS.
    """

    dataset: DatasetInLog
    path: str
    split: str
    labels: Sequence[dict[str, Any]]


def dataset_versions(
    index: LineageIndex, store: ObjectStore, *, cache: Path, project: str | None = None
) -> DatasetsInLog:
    """Every distinct dataset version.

    Args:
        index: the event log.
        store: the object store.
        cache: folder for indexes of images that a version lacks.
        project: only this project's; all by default.
    """
    found, lost = [], []
    for key in index.asset_keys(project):
        if key.endswith("/dataset_version"):
            for event in index.first_of_each_version(key):
                where = f"projects/{event.project}/datasets/{event.version}"
                try:
                    images = open_membership(store, where, cache=cache)
                except ObjectNotFound:
                    lost.append(event)
                else:
                    found.append(DatasetInLog(where, images, event))
    return DatasetsInLog(found, lost)


def trace_image(
    index: LineageIndex, store: ObjectStore, ref: str, *, cache: Path, project: str | None = None
) -> Trace:
    """An image, the raw set that brought it (up), and all that used it (down).

    A dataset version whose folder is lost may have held it: it is below too, and says so.

    Args:
        index: the event log.
        store: the object store.
        ref: SHA-256 of the image, a prefix of at least eight characters, a file, or the path that
            the image has in its source.
        cache: folder for indexes of images that a version lacks.
        project: only this project's dataset versions.

    Raises:
        ProvenanceError: no dataset version holds such an image, or the reference fits several.
    """
    in_log = dataset_versions(index, store, cache=cache, project=project)
    datasets = in_log.found
    projects = sorted({dataset.event.project for dataset in datasets})
    image_id = find_image(
        ref, store=store, catalogs=[Catalog(store, p) for p in projects], versions=datasets
    )
    holding = [d for d in datasets if image_id and d.images.row(image_id) is not None]
    if image_id is None or not holding:
        raise ProvenanceError(
            f"No dataset version holds an image {ref!r}.",
            do="Give its SHA-256, a prefix of 8 or more, a file, or its path in the source."
            + (f" {len(in_log.lost)} versions are lost, and may have held it." * bool(in_log.lost)),
        )
    with ThreadPoolExecutor(_READERS) as readers:
        # the log is read while the files are
        looked = [readers.submit(_look, dataset, store, image_id) for dataset in holding]
        below = [trace_down(index, dataset.event) for dataset in holding]
        used = [look.result() for look in looked]
    tombstone = Tombstones(store).get(image_id)
    return Trace(
        Node("image", used[-1].path, image_id, metadata=_taken_out(tombstone)),
        up=_brought_by(index, holding[0].event),
        down=[
            *(_used_by(index, a, down) for a, down in zip(used, below, strict=True)),
            *(Trace(_lost(index, event)) for event in in_log.lost),
        ],
    )


def _look(dataset: DatasetInLog, store: ObjectStore, image_id: str) -> Appearance:
    row = dataset.images.row(image_id)
    assert row is not None
    manifest = dataset.table(store, MANIFEST_FILE)
    facts = rows_at(manifest, [row], columns=["path", "split"]).to_pylist()[0]
    annotations = dataset.table(store, ANNOTATIONS_FILE)
    labels = rows_of_images(annotations, [image_id], columns=("image_id", *LABEL_COLUMNS))
    kept = labels.select(list(LABEL_COLUMNS)).to_pylist()
    return Appearance(dataset, facts["path"], facts["split"], kept)


def _used_by(index: LineageIndex, appearance: Appearance, down: Sequence[Trace]) -> Trace:
    node = node_of(index, appearance.dataset.event)
    facts = {"split": appearance.split, "labels": list(appearance.labels)}
    return Trace(replace(node, metadata={**node.metadata, **facts}), down=down)


def _lost(index: LineageIndex, event: Materialization) -> Node:
    node = node_of(index, event)
    return replace(node, metadata={**node.metadata, "lost": LOST})


def _taken_out(tombstone: Tombstone | None) -> dict[str, Any]:
    """What the node of an image says when its pixels are gone."""
    if tombstone is None:
        return {}
    return {MARK: tombstone.model_dump(mode="json", include={"at", "actor", "reason"})}


def _brought_by(index: LineageIndex, event: Materialization) -> list[Trace]:
    """The raw image set above a dataset version."""
    for trace in trace_up(index, event):
        found = _find(trace, "images")
        if found is not None:
            return [found]
    return []


def _find(trace: Trace, kind: str) -> Trace | None:
    if trace.node.kind == kind:
        return trace
    return next((f for up in trace.up if (f := _find(up, kind)) is not None), None)
