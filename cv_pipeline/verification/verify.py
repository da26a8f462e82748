"""Verification of dataset versions, of a whole store, of the local cache and of copies.

Everything is hashed again by the rule that gave it its digest. Nothing is changed: what differs is
named, with what to do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cv_pipeline.datasets.record import MANIFEST_FILE
from cv_pipeline.datasets.version import DatasetVersion
from cv_pipeline.errors import DatasetError
from cv_pipeline.storage import ObjectStore
from cv_pipeline.verification.images import (
    Kept,
    missing_images,
    stored_images,
    verify_blobs,
    verify_images,
)
from cv_pipeline.verification.published import (
    KINDS,
    published_folders,
    refetch,
    verify_cached,
    verify_folder,
    verify_published,
)
from cv_pipeline.verification.report import Progress, Report, merged

_READ = ["image_id", "path", "width", "height", "bands", "dtype"]
_BATCH = 65_536


def verify_versions(
    versions: Sequence[DatasetVersion],
    *,
    store: ObjectStore,
    cache: Path,
    pixels: bool,
    progress: Progress,
) -> Report:
    """Verify dataset versions and, unless it is told otherwise, the bytes of all their images.

    Args:
        versions: the versions.
        store: where their images are.
        cache: folder of copies from a remote store, which are simply fetched again.
        pixels: whether to read the images; else they need only be there.
        progress: told of every image.
    """
    kind = KINDS["datasets"]
    reports = [
        verify_folder(v.folder, kind, name=v.digest, do=_to_do(v.folder, cache)) for v in versions
    ]
    sound = [v.manifest for v, r in zip(versions, reports, strict=True) if r.ok]
    if not sound:
        return merged(reports)
    images = pa.concat_tables([manifest.select(_READ) for manifest in sound])
    images = images.group_by("image_id").aggregate([(name, "min") for name in _READ[1:]])
    images = images.rename_columns(_READ)
    if pixels:
        found = verify_images(_kept(images), store=store, total=len(images), progress=progress)
    else:
        found = missing_images(images, stored=stored_images(store), store=store)
    return merged([*reports, found])


def verify_store(store: ObjectStore, *, pixels: bool, progress: Progress) -> Report:
    """Verify everything that was published in a store, and every image that it holds.

    Args:
        store: the store.
        pixels: whether to read the images; else those that dataset versions name need only be
            there.
        progress: told of every folder and every image.

    Raises:
        DatasetError: the store is empty, so that it may well be another one than was meant.
    """
    reports = list(verify_published(store, progress=progress))
    if pixels:
        reports.append(verify_blobs(store, progress=progress))
    stored = stored_images(store)
    if not len(stored) and not any(count for r in reports for count in r.checked.values()):
        raise DatasetError(
            f"There is nothing in {store.url} that could be verified.",
            do="Check CV_STORE and CV_HOME, which say where the store is.",
        )
    reports += [missing_images(m, stored=stored, store=store) for m in _manifests(store)]
    return merged(reports)


def verify_cache(cache: Path, *, progress: Progress) -> Report:
    """Verify the copies that are kept of a remote store's folders.

    What else is cached is built from the store anew whenever it does not fit.

    Args:
        cache: the cache folder.
        progress: told of every folder.
    """
    return merged(verify_cached(cache, progress=progress))


def _to_do(folder: Path, cache: Path) -> str:
    if folder.is_relative_to(cache):
        return refetch(folder)
    return "Restore the folder from a backup, or move it away and materialize dataset_version."


def _kept(images: pa.Table) -> Iterator[Kept]:
    """Images with the bytes that they take decoded, which their files hardly ever exceed."""
    for batch in images.to_batches(max_chunksize=_BATCH):
        for row in batch.to_pylist():
            size = row["width"] * row["height"] * row["bands"] * np.dtype(row["dtype"]).itemsize
            yield Kept(row["image_id"], row["path"], size)


def _manifests(store: ObjectStore) -> Iterator[pa.Table]:
    """Images and paths of every dataset version of a store that can be read."""
    for project, kinds, name in published_folders(store):
        if kinds == "datasets":
            where = store.arrow(f"projects/{project}/datasets/{name}/{MANIFEST_FILE}")
            # one that cannot be read was named already
            with contextlib.suppress(OSError, pa.ArrowException, KeyError):
                yield pq.read_table(
                    where.path, filesystem=where.filesystem, columns=["image_id", "path"]
                )
