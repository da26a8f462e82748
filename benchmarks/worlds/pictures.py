"""JPEG files by the million: soft patches of colour, each unlike every other, in an object store.

Picture k of a size is the same wherever it is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import simplejpeg
from PIL import Image

from cv_pipeline.catalog.engine import map_batches
from cv_pipeline.storage.blobs import blob_key

_PATCHES = (6, 8)
_BATCH = 2_000


class _Painter:
    """Makes pictures of one size below a folder, in a worker process."""

    def __init__(self, store: Path, width: int, height: int) -> None:
        self._store = store
        self._size = (width, height)

    def __call__(self, numbers: Sequence[int]) -> list[tuple[str, int]]:
        return [self._paint(number) for number in numbers]

    def _paint(self, number: int) -> tuple[str, int]:
        random = np.random.default_rng(number)
        patches = random.integers(20, 236, (*_PATCHES, 3), dtype=np.uint8)
        picture = Image.fromarray(patches).resize(self._size, Image.Resampling.BICUBIC)
        data = simplejpeg.encode_jpeg(np.asarray(picture), quality=80)
        image_id = hashlib.sha256(data).hexdigest()
        path = self._store / blob_key(image_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return image_id, len(data)


def make_pictures(store: Path, *, count: int, width: int, height: int) -> pa.Table:
    """Write pictures into the blobs of a local object store.

    Returns:
        Columns image_id, bytes, width, height; a row for each picture.
    """
    rows = [row for done in _painted(store, count, width, height) for row in done if row]
    ids, sizes = zip(*rows, strict=True)
    return pa.table(
        {
            "image_id": pa.array(ids, pa.large_string()),
            "bytes": pa.array(sizes, pa.int64()),
            "width": pa.repeat(pa.scalar(width, pa.int32()), count),
            "height": pa.repeat(pa.scalar(height, pa.int32()), count),
        }
    )


def _painted(
    store: Path, count: int, width: int, height: int
) -> Iterator[list[tuple[str, int] | None]]:
    batches = (range(at, min(at + _BATCH, count)) for at in range(0, count, _BATCH))
    for _, results in map_batches(_Painter(store, width, height), batches, size=lambda _: 1):
        yield results
