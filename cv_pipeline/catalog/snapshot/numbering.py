"""Images by number: the row of an image in the list of all image ids, sorted.

Ids are found by binary search in the list as it lies in the mapped file, so that looking up one
touches a few pages and looking up a million needs no table of them in memory.
"""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class Numbering:
    """The numbers of the images.

    Args:
        ids: image ids, sorted by code point and each once.
    """

    def __init__(self, ids: pa.ChunkedArray) -> None:
        self.ids = ids
        self._chunks = [chunk for chunk in ids.chunks if len(chunk)]
        self._seen: dict[int, NDArray[np.bytes_]] = {}

    def find(self, image_ids: pa.Array | pa.ChunkedArray) -> NDArray[np.int32]:
        """Number of each image; -1 where there is no such image."""
        wanted = _as_bytes(image_ids)
        numbers = np.full(len(wanted), -1, np.int32)
        chunk_of = np.searchsorted(self._firsts, wanted, side="right") - 1
        for index in np.unique(chunk_of):
            if index < 0:
                continue
            chunk = self._chunk(int(index))
            of_chunk = np.flatnonzero(chunk_of == index)
            row = np.searchsorted(chunk, wanted[of_chunk], side="right") - 1
            found = chunk[row] == wanted[of_chunk]
            numbers[of_chunk[found]] = (row[found] + self._offsets[index]).astype(np.int32)
        return numbers

    def with_prefix(self, prefix: str) -> range:
        """Numbers of the images whose ids begin with ``prefix``."""
        return range(self._first_from(prefix.encode()), self._first_from(prefix.encode() + b"\xff"))

    def _first_from(self, text: bytes) -> int:
        """Number of the first image whose id is not less than a text."""
        index = int(np.searchsorted(self._firsts, np.bytes_(text), side="right")) - 1
        if index < 0:
            return 0
        row = np.searchsorted(self._chunk(index), np.bytes_(text), side="left")
        return int(self._offsets[index] + row)

    def _chunk(self, index: int) -> NDArray[np.bytes_]:
        """Ids of a chunk; that they are equally long is seen to once, for it reads them all."""
        if index not in self._seen:
            self._seen[index] = _as_bytes(self._chunks[index])
        return self._seen[index]

    @cached_property
    def _firsts(self) -> NDArray[np.bytes_]:
        """First id of each chunk."""
        return _as_bytes(pa.chunked_array([c.slice(0, 1) for c in self._chunks], pa.string()))

    @cached_property
    def _offsets(self) -> NDArray[np.int64]:
        """Number of the first image of each chunk."""
        return np.cumsum([0, *(len(chunk) for chunk in self._chunks)])[:-1]


def ids_digest(ids: pa.ChunkedArray) -> str:
    """SHA-256 over image ids in their order, each followed by a line feed, in hex."""
    digest = hashlib.sha256()
    for chunk in ids.chunks:
        for start in range(0, len(chunk), 65_536):
            lines = pc.binary_join_element_wise(chunk.slice(start, 65_536), "", "\n")
            _, offsets, data = lines.buffers()
            length = int(np.frombuffer(offsets, np.int32)[len(lines)])
            digest.update(memoryview(data)[:length])
    return digest.hexdigest()


def _as_bytes(ids: pa.Array | pa.ChunkedArray) -> NDArray[np.bytes_]:
    """Ids as fixed-width bytes; no copy when all are equally long, as real ones are."""
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    if not len(ids):
        return np.empty(0, "S1")
    offsets = np.frombuffer(ids.buffers()[1], np.int32, len(ids) + 1, 4 * ids.offset)
    width = int(offsets[1] - offsets[0])
    if width and (np.diff(offsets) == width).all():
        return np.frombuffer(ids.buffers()[2], f"S{width}", len(ids), int(offsets[0]))
    return np.array(ids.cast(pa.binary()).to_pylist(), np.bytes_)
