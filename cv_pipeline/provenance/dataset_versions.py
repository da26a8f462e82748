"""From what a user types to a dataset version, and to an image's history over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from dagster import DagsterInstance

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.schemas.earlier import with_earlier
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.differences.history import Appearance, ImageHistory, image_history
from cv_pipeline.datasets.image_references import find_image
from cv_pipeline.datasets.image_rows import rows_at, rows_of_images
from cv_pipeline.datasets.record import ANNOTATIONS_FILE, DATASET_FILE, MANIFEST_FILE
from cv_pipeline.datasets.version import DatasetVersion, load_version
from cv_pipeline.errors import ProvenanceError
from cv_pipeline.provenance.image_history import DatasetInLog, dataset_versions
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.references import find_event
from cv_pipeline.settings import cv_home, dagster_home, store_url
from cv_pipeline.storage import ObjectStore, fetch, open_store

_READERS = 8


def open_version(
    ref: str,
    *,
    project: str | None = None,
    instance: DagsterInstance | None = None,
    store: ObjectStore | None = None,
    cache: Path | None = None,
) -> DatasetVersion:
    """The dataset version that a reference means.

    Args:
        ref: ``project@version``, a digest or a prefix of one, ``project@latest``, or the folder of
            a copy, for which no Dagster instance is needed.
        project: look in this project only.
        instance: the Dagster instance; by default the one of ``DAGSTER_HOME``.
        store: the object store; by default the one of ``CV_STORE``.
        cache: folder for copies from a remote store; by default the one of ``CV_HOME``.

    Raises:
        ProvenanceError: the reference is unknown or ambiguous.
        ObjectNotFound: its folder is not in the store.
        DatasetError: its folder cannot be read.
    """
    local = Path(ref)
    if (local / DATASET_FILE).is_file():
        return load_version(local)
    event = find_event(_index(instance), asset="dataset_version", ref=ref, project=project)
    key = f"projects/{event.project}/datasets/{event.version}"
    where = store or open_store(store_url())
    return load_version(fetch(where, key, marker=DATASET_FILE, cache=cache or cv_home() / "cache"))


def history_of(
    ref: str,
    *,
    project: str | None = None,
    instance: DagsterInstance | None = None,
    store: ObjectStore | None = None,
    cache: Path | None = None,
) -> ImageHistory:
    """What happened to the labels of an image.

    Dataset versions whose folder is lost are left out.

    Args:
        ref: SHA-256 of the image, a prefix of eight or more, a file, or its path in the source.
        project: name of the project; where it is left out, one alone may know the image.
        instance: the Dagster instance; by default the one of ``DAGSTER_HOME``.
        store: the object store; by default the one of ``CV_STORE``.
        cache: folder for indexes of versions; by default the one of ``CV_HOME``.

    Raises:
        ProvenanceError: no project, or more than one, knows the image, or the reference fits
            several.
    """
    index = _index(instance)
    where = store or open_store(store_url())
    cache = cache or cv_home() / "cache"
    projects = [project] if project else sorted({k.split("/")[0] for k in index.asset_keys()})
    found = []
    for name in projects:
        datasets = dataset_versions(index, where, cache=cache, project=name).found
        catalog = Catalog(where, name)
        image_id = find_image(ref, store=where, catalogs=[catalog], versions=datasets)
        if image_id is not None and _knows(image_id, catalog, datasets):
            found.append((image_id, catalog, datasets))
    if not found:
        raise ProvenanceError(
            f"{' or '.join(projects) or 'No project'} knows no image {ref!r}.",
            do="Give its SHA-256, a prefix of 8 or more, a file, or its path in the source.",
        )
    if len(found) > 1:
        known = " and ".join(catalog.project for _, catalog, _ in found)
        raise ProvenanceError(f"{ref!r} is in {known}.", do="Name one with --project.")
    image_id, catalog, datasets = found[0]
    with ThreadPoolExecutor(_READERS) as pool:
        appearances = list(pool.map(lambda d: _appearance(d, where, image_id), datasets))
    return image_history(image_id, catalog=catalog, appearances=appearances)


def _knows(image_id: str, catalog: Catalog, datasets: Sequence[DatasetInLog]) -> bool:
    if any(dataset.images.row(image_id) is not None for dataset in datasets):
        return True
    wanted = pc.field("image_id") == image_id
    return len(catalog.table("images").read(columns=["image_id"], filter=wanted)) > 0


def _index(instance: DagsterInstance | None) -> LineageIndex:
    if instance is None:
        dagster_home()
    return LineageIndex(instance or DagsterInstance.get())


def _appearance(dataset: DatasetInLog, store: ObjectStore, image_id: str) -> Appearance:
    row = dataset.images.row(image_id)
    at, digest = dataset.event.timestamp, dataset.event.version
    if row is None:
        return Appearance(at, digest, None, ANNOTATIONS.empty_table())
    manifest = rows_at(dataset.table(store, MANIFEST_FILE), [row], columns=["split"])
    annotations = dataset.table(store, ANNOTATIONS_FILE)
    labels = rows_of_images(annotations, [image_id], columns=ANNOTATIONS.names)
    plain = pa.Table.from_arrays(labels.columns, names=labels.column_names)
    table = with_earlier(plain, ANNOTATIONS).cast(ANNOTATIONS)
    return Appearance(at, digest, manifest["split"][0].as_py(), table)
