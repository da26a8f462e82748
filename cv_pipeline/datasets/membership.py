"""Which images a dataset version holds, as an index of its own: a look-up costs microseconds.

``image_ids.bin`` lies beside the manifest: the images' SHA-256 as 32 bytes each, in the manifest's
order, so that a position in it is a row there. Versions that were made without it, and those of a
remote store, get a copy in the cache, once.
"""

from __future__ import annotations

import binascii
import os
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow.fs import LocalFileSystem

from cv_pipeline.datasets.record import DATASET_FILE, MANIFEST_FILE
from cv_pipeline.errors import DatasetError, ObjectNotFound
from cv_pipeline.storage import ObjectStore, published

IDS_FILE = "image_ids.bin"
_ID = np.dtype("S32")
_DIGITS = 2 * _ID.itemsize


class Membership:
    """The images of a dataset version, memory-mapped.

    Args:
        path: an ``image_ids.bin``.
    """

    def __init__(self, path: Path) -> None:
        # an empty file cannot be mapped
        empty = path.stat().st_size == 0
        self._ids: NDArray[np.bytes_] = (
            np.empty(0, dtype=_ID) if empty else np.memmap(path, dtype=_ID, mode="r")
        )

    def __len__(self) -> int:
        """Number of images."""
        return len(self._ids)

    def row(self, image_id: str) -> int | None:
        """Row of an image in the manifest; None when the version does not hold it."""
        rows = self.starting_with(image_id)
        return rows.start if len(rows) == 1 and len(image_id) == _DIGITS else None

    def starting_with(self, prefix: str) -> range:
        """Rows of the images whose id begins with some hex digits."""
        first = np.array(bytes.fromhex(prefix.ljust(_DIGITS, "0")), dtype=_ID)
        last = np.array(bytes.fromhex(prefix.ljust(_DIGITS, "f")), dtype=_ID)
        start = int(np.searchsorted(self._ids, first, side="left"))
        return range(start, int(np.searchsorted(self._ids, last, side="right")))

    def held(self, image_ids: Sequence[str]) -> list[str]:
        """Those of some images that the version holds, in their order."""
        return [image_id for image_id in image_ids if self.row(image_id) is not None]

    def image_id(self, row: int) -> str:
        """Id of the image in a row of the manifest."""
        # NumPy cuts trailing zero bytes off
        return bytes(self._ids[row]).ljust(_ID.itemsize, b"\0").hex()


def write_ids(image_ids: pa.ChunkedArray, path: Path) -> None:
    """Write the index of a manifest; see :func:`packed_ids`.

    Args:
        image_ids: its image ids, sorted.
        path: file to write.
    """
    path.write_bytes(packed_ids(image_ids))


def packed_ids(image_ids: pa.ChunkedArray) -> bytes:
    """The content of an index: the 32 bytes of each id, one after the other.

    Args:
        image_ids: image ids, each 64 lower-case hex digits.

    Raises:
        DatasetError: one of them is no image id.
    """
    lengths = pc.binary_length(image_ids)
    if not pc.all(pc.equal(lengths, _DIGITS), min_count=0).as_py():
        raise DatasetError("A manifest names an image that is no SHA-256 in hex.")
    try:
        return b"".join(_unhex(chunk) for chunk in image_ids.chunks if len(chunk))
    except binascii.Error:
        raise DatasetError("A manifest names an image that is no SHA-256 in hex.") from None


def open_membership(store: ObjectStore, key: str, *, cache: Path) -> Membership:
    """The index of a published dataset version.

    Args:
        store: where the version is.
        key: key of its folder.
        cache: where an index is kept that the version lacks, or that is not on this machine.

    Raises:
        ObjectNotFound: there is no such version, or it is not complete.
        DatasetError: its manifest names something that is no image id.
    """
    if not published(store, key, marker=DATASET_FILE):
        raise ObjectNotFound(f"There is no dataset version {key!r} in {store.url}.")
    beside = store.arrow(f"{key}/{IDS_FILE}")
    if isinstance(beside.filesystem, LocalFileSystem) and Path(beside.path).is_file():
        return Membership(Path(beside.path))
    copy = cache / "membership" / sha256(store.url.encode()).hexdigest()[:16] / f"{key}.bin"
    if not copy.is_file():
        try:
            data = store.read(f"{key}/{IDS_FILE}")
        except ObjectNotFound:
            manifest = store.arrow(f"{key}/{MANIFEST_FILE}")
            columns = pq.read_table(
                manifest.path, columns=["image_id"], filesystem=manifest.filesystem
            )
            data = packed_ids(columns["image_id"])
        _write_whole(copy, data)
    return Membership(copy)


def _unhex(ids: pa.Array) -> bytes:
    ids = ids.cast(pa.string())
    start = int(np.frombuffer(ids.buffers()[1], dtype=np.int32)[ids.offset])
    return binascii.unhexlify(ids.buffers()[2][start : start + _DIGITS * len(ids)])


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file of the cache: others see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".partial-", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    Path(name).replace(path)
