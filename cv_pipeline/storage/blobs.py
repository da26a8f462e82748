"""Image bytes under the name of their content: an image id is the SHA-256 of a file's bytes.

Putting the same bytes again is free, and what is read is what was put: every read is hashed
(about 1 GB/s, next to decoding nothing), so bytes that changed underneath are an error. An image
that was taken out is not kept again.
"""

from __future__ import annotations

import hashlib
import re

from cv_pipeline.errors import ObjectCorrupt, ObjectNotFound
from cv_pipeline.storage.object_store import ObjectStore
from cv_pipeline.storage.tombstones import Tombstones

_IMAGE_ID = re.compile(r"[0-9a-f]{64}")


def image_id_of(data: bytes) -> str:
    """Image id of a file's bytes: their SHA-256, lower-case hex."""
    return hashlib.sha256(data).hexdigest()


class Blobs:
    """The images of an object store, shared by all its projects.

    Args:
        store: where they are kept, under ``blobs/<2>/<2>/<image id>``.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._tombstones = Tombstones(store)

    def put(self, data: bytes) -> str:
        """Keep ``data`` and return its image id.

        Raises:
            ObjectTakenOut: the image was taken out.
        """
        image_id = image_id_of(data)
        self._store.create(blob_key(image_id), data)
        # Asked after the write: a take-out writes its tombstone before it removes the bytes, so
        # of the two, whichever is later sees the other.
        tombstone = self._tombstones.get(image_id)
        if tombstone is not None:
            self._store.purge(blob_key(image_id))
            raise tombstone.error()
        return image_id

    def read(self, image_id: str) -> bytes:
        """Return an image's bytes, verified.

        Raises:
            ObjectNotFound: no such image is kept.
            ObjectTakenOut: it was taken out; the message says when and why.
            ObjectCorrupt: what is kept does not hash to its name.
        """
        key = blob_key(image_id)
        try:
            data = self._store.read(key)
        except ObjectNotFound:
            tombstone = self._tombstones.get(image_id)
            if tombstone is not None:
                raise tombstone.error() from None
            raise
        found = image_id_of(data)
        if found != image_id:
            raise ObjectCorrupt(
                f"Image {image_id} is damaged: {key!r} in {self._store.url} hashes to {found}.",
                do="Restore that object from a backup, or delete it and ingest again, as long as"
                " the source has the file.",
            )
        return data

    def remove(self, image_id: str) -> None:
        """Remove an image's bytes for good, earlier versions of the object too; or do nothing."""
        self._store.purge(blob_key(image_id))

    def exists(self, image_id: str) -> bool:
        """Tell whether an image is kept."""
        return self._store.exists(blob_key(image_id))


def blob_key(image_id: str) -> str:
    """Key of an image's bytes in the object store.

    Raises:
        ObjectNotFound: it is no image id.
    """
    if not _IMAGE_ID.fullmatch(image_id):
        raise ObjectNotFound(f"{image_id!r} is no image id (64 lower-case hex digits).")
    return f"blobs/{image_id[:2]}/{image_id[2:4]}/{image_id}"
