"""Where bytes live and where they come from: object stores, image blobs, folders and sources."""

from __future__ import annotations

from cv_pipeline.storage.blobs import Blobs, blob_key, image_id_of
from cv_pipeline.storage.folders import fetch, list_folders, publish, published
from cv_pipeline.storage.object_store import (
    ArrowLocation,
    LanceLocation,
    ObjectInfo,
    ObjectStore,
)
from cv_pipeline.storage.sources import ImageSource, SourceEntry, open_source
from cv_pipeline.storage.stores import open_store
from cv_pipeline.storage.tombstones import Tombstone, Tombstones, Use

__all__ = [
    "ArrowLocation",
    "Blobs",
    "ImageSource",
    "LanceLocation",
    "ObjectInfo",
    "ObjectStore",
    "SourceEntry",
    "Tombstone",
    "Tombstones",
    "Use",
    "blob_key",
    "fetch",
    "image_id_of",
    "list_folders",
    "open_source",
    "open_store",
    "publish",
    "published",
]
