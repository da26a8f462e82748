"""Immutable folders of an object store, such as a dataset version or a model.

A folder is there when its marker file is, and the marker appears last: readers see all of it or
nothing, and a publication that was killed is simply made again.
"""

from __future__ import annotations

from pathlib import Path

from cv_pipeline.errors import ObjectNotFound, StorageError
from cv_pipeline.storage.object_store import ObjectStore, checked_key


def publish(store: ObjectStore, key: str, folder: Path, *, marker: str) -> None:
    """Copy the files of ``folder`` to below ``key``; nothing happens when it is published.

    Args:
        store: where to.
        key: name of the published folder; it should name the content, such as a digest.
        folder: local folder; links in it are followed.
        marker: name of the file in it that is written last, such as ``dataset.json``.

    Raises:
        StorageError: ``folder`` lacks the marker, or the store failed.
    """
    if not (folder / marker).is_file():
        raise StorageError(f"{folder} cannot be published: it has no {marker}.")
    if not published(store, key, marker=marker):
        store.publish_folder(checked_key(key), folder, marker=marker)


def published(store: ObjectStore, key: str, *, marker: str) -> bool:
    """Tell whether the folder ``key`` is published."""
    return store.exists(f"{key}/{marker}")


def fetch(store: ObjectStore, key: str, *, marker: str, cache: Path) -> Path:
    """Return the published folder as a local one, which nobody may change.

    Args:
        store: where from.
        key: name of the published folder.
        marker: its marker file.
        cache: where a store that is not local keeps its copy, from the first call on.

    Raises:
        ObjectNotFound: there is no such folder, or it is not complete.
    """
    if not published(store, key, marker=marker):
        raise ObjectNotFound(f"There is no folder {key!r} with its {marker} in {store.url}.")
    return store.fetch_folder(key, cache=cache)


def list_folders(store: ObjectStore, key: str, *, marker: str) -> list[str]:
    """Names of the folders published directly below ``key``, sorted."""
    start = f"{checked_key(key)}/"
    names = (info.key.removeprefix(start).split("/") for info in store.list(start))
    return sorted(parts[0] for parts in names if len(parts) == 2 and parts[1] == marker)
