"""Brings the images of a training to this machine, each as bytes that a loader can decode.

The bytes lie one after the other in a single memory-mapped file, so that an epoch reads a local
file in pages however many images there are, and object storage is asked for each image once.
Images are read ahead within a budget of memory.
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.errors import CVPipelineError, ObjectTakenOut, TrainingError
from cv_pipeline.storage import Blobs
from cv_pipeline.storage.read_ahead import read_ahead
from cv_pipeline.training.examples import Examples
from cv_pipeline.training.progress import Progress

_READERS = 8
_READ_AHEAD_BYTES = 256 << 20
_RENDERING = 3
"""Copies of an image's pixels that exist at once while it is rendered: decoded, scaled, 8-bit."""


class StagedImages:
    """Encoded images, by row.

    Args:
        data: (size,) uint8: the images one after the other; None without any.
        begins: (n,) int64: where each begins.
        ends: (n,) int64: where each ends.
    """

    def __init__(
        self,
        data: NDArray[np.uint8] | None,
        *,
        begins: NDArray[np.int64],
        ends: NDArray[np.int64],
    ) -> None:
        self._data = data
        self._begins, self._ends = begins, ends

    @classmethod
    def of_file(cls, path: Path, sizes: NDArray[np.int64]) -> StagedImages:
        """The images that lie in a file.

        Args:
            path: the file.
            sizes: (n,) int64: bytes of each.
        """
        ends = np.cumsum(sizes)
        data = np.memmap(path, dtype=np.uint8, mode="r") if sizes.any() else None
        return cls(data, begins=ends - sizes, ends=ends)

    def __len__(self) -> int:
        """Number of images."""
        return len(self._ends)

    def encoded(self, row: int) -> NDArray[np.uint8]:
        """(bytes,) uint8: one image, JPEG or PNG, 8-bit; a view of the file."""
        assert self._data is not None
        return self._data[self._begins[row] : self._ends[row]]

    def take(self, rows: NDArray[np.int64]) -> StagedImages:
        """Some of them, each as often as it is wanted; nothing is copied."""
        return StagedImages(self._data, begins=self._begins[rows], ends=self._ends[rows])


def stage(examples: Examples, *, blobs: Blobs, path: Path, progress: Progress) -> StagedImages:
    """Write the images of ``examples`` to ``path``, in their order.

    8-bit RGB and grey JPEG and PNG files are kept as they are; everything else (16-bit, float,
    multi-band, other containers) is rendered to 8-bit RGB and kept as PNG.

    Raises:
        TrainingError: an image is not in the store, is damaged or cannot be decoded, or was taken
            out at this very moment.
    """
    sizes = np.zeros(len(examples), dtype=np.int64)
    # A manifest has no file sizes, but a file is hardly ever larger than its pixels.
    taken = examples.decoded_bytes * np.where(examples.encoded, 1, _RENDERING)
    with path.open("wb") as file, ThreadPoolExecutor(_READERS) as pool:
        loaded = read_ahead(
            range(len(examples)),
            lambda row: _load(examples, row, blobs),
            size=lambda row: int(taken[row]),
            pool=pool,
            budget=_READ_AHEAD_BYTES,
        )
        for row, data in enumerate(loaded):
            sizes[row] = file.write(data)
            if progress.due():
                progress.tell(f"staged {row + 1} of {len(examples)} images")
    return StagedImages.of_file(path, sizes)


def _load(examples: Examples, row: int, blobs: Blobs) -> bytes:
    image_id = examples.image_ids[row].as_py()
    try:
        data = blobs.read(image_id)
        if examples.encoded[row]:
            return data
        return _render(data, max_pixels=int(examples.sizes[row].prod()))
    except ObjectTakenOut as error:
        raise TrainingError(
            f"The dataset version changed underneath: {error.what}",
            do="Run it again: what was taken out is left out from the start.",
        ) from error
    except CVPipelineError as error:
        raise TrainingError(
            f"Image {image_id} of the dataset version cannot be used: {error.what}", do=error.do
        ) from error


def _render(data: bytes, *, max_pixels: int) -> bytes:
    from PIL import Image

    from cv_pipeline.imaging import decode, to_rgb8

    out = io.BytesIO()
    Image.fromarray(to_rgb8(decode(data, max_pixels=max_pixels))).save(out, "PNG", compress_level=1)
    return out.getvalue()
