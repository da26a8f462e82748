"""Opened pictures: parts of their bands at any level of a pyramid, in bounded memory.

Level 0 is the picture itself and each further level half of the one before. A picture is decoded
once and kept; of a large TIFF in strips or tiles only the parts that are asked for are decoded, and
a small copy is kept for what is far away.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from cv_pipeline.errors import ImageError
from cv_pipeline.imaging import jpeg, tiff
from cv_pipeline.imaging.flir import read_thermogram
from cv_pipeline.imaging.halving import halved
from cv_pipeline.imaging.meaning import Band, Meaning
from cv_pipeline.imaging.orientation import upright
from cv_pipeline.imaging.pyramid import TILE, Box, level_size, level_within
from cv_pipeline.imaging.read import (
    ImageInfo,
    decode,
    decode_scaled_jpeg,
    explain,
    inspect,
    reading,
)

_KEPT_WHOLE = 96 << 20
"""Bytes of a decoded TIFF above which it is read in parts."""

_LARGE_JPEG = 16_000_000
"""Pixels of a JPEG above which a small copy is decoded by itself."""

_EIGHTH = 3
"""Level of the smallest copy that a JPEG is decoded to."""

_SMALL_COPY = 32 << 20
"""Bytes of the small copy of a TIFF that is read in parts."""

_SAME_SHAPE = 0.02
"""Difference of two ratios of sides that is put down to rounding."""

_NO_BYTES_LIMIT = 1 << 62


class Opened(Protocol):
    """A picture whose parts can be read; safe for many threads."""

    @property
    def info(self) -> ImageInfo:
        """What the picture is, with every band that can be read."""

    @property
    def meaning(self) -> Meaning:
        """What its numbers mean."""

    @property
    def held(self) -> int:
        """Bytes of memory that it takes."""

    def read(self, bands: Sequence[int], level: int, box: Box | None) -> list[NDArray[Any]]:
        """Stored numbers of some bands: a part of a level, or all of it."""


class Overview(Sequence[NDArray[Any]]):
    """The bands of a picture at the first level that is small enough to be looked at as a whole.

    Args:
        picture: the picture; a band is read when it is asked for.
        side: pixels that the longer side has at most.
    """

    def __init__(self, picture: Opened, *, side: int = 1024) -> None:
        self._picture = picture
        self._level = level_within(picture.info.width, picture.info.height, side)

    def __len__(self) -> int:
        """Number of bands."""
        return self._picture.info.bands

    def __getitem__(self, n: Any) -> Any:
        """Band of a number, (H, W)."""
        return self._picture.read([range(len(self))[n]], self._level, None)[0]


def open_picture(data: bytes, *, max_pixels: int, name: str = "", frame: int = 0) -> Opened:
    """Open a picture for reading parts of it.

    Args:
        data: the file.
        max_pixels: largest allowed width × height.
        name: the file's name, which of a sensor's single band can tell which it is.
        frame: which picture of a file that has several.

    Raises:
        ImageError: as of ``read.decode``.
    """
    info = inspect(data, max_pixels=max_pixels, max_bytes=_NO_BYTES_LIMIT)
    meaning = explain(data, max_pixels=max_pixels, name=name)
    if frame >= meaning.frames:
        raise ImageError(
            f"The file has {meaning.frames} frames and none of number {frame}.", reason="bad_view"
        )
    if frame:
        meaning = explain(data, max_pixels=max_pixels, frame=frame)
    if info.format == "TIFF":
        with reading("TIFF"):
            parts = _PartsOfTiff.of(data, info, meaning)
        if parts is not None:
            return parts
    if info.format == "JPEG" and info.width * info.height > _LARGE_JPEG:
        return _LargeJpeg(data, info, meaning)
    planes = _planes(decode(data, max_pixels=max_pixels, frame=frame))
    if info.format == "JPEG":
        thermal = _thermal_plane(data, planes[0].shape, max_pixels)
        if thermal is not None:
            planes.append(thermal)
            band = Band("Temperature", "thermal", unit="°C")
            meaning = replace(meaning, bands=(*meaning.bands, band), modality="thermal")
            info = replace(info, bands=len(planes))
    return Whole(planes, info, meaning)


class Whole:
    """A picture that is decoded as a whole.

    Args:
        planes: its bands, each (H, W).
        info: what it is.
        meaning: what its numbers mean.
    """

    def __init__(self, planes: Sequence[NDArray[Any]], info: ImageInfo, meaning: Meaning) -> None:
        self.info = info
        self.meaning = meaning
        self._levels: dict[tuple[int, int], NDArray[Any]] = {
            (n, 0): plane for n, plane in enumerate(planes)
        }
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """Bytes of memory that it takes, all levels made."""
        return sum(p.nbytes for (_, level), p in self._levels.copy().items() if level == 0) * 4 // 3

    def read(self, bands: Sequence[int], level: int, box: Box | None) -> list[NDArray[Any]]:
        """Stored numbers of some bands: a part of a level, or all of it."""
        found = [self._level(band, level) for band in bands]
        if box is None:
            return found
        return [plane[box.top : box.bottom, box.left : box.right] for plane in found]

    def _level(self, band: int, level: int) -> NDArray[Any]:
        with self._lock:  # a level is made once; those who wait need it too
            for step in range(1, level + 1):
                if (band, step) not in self._levels:
                    nodata = self.meaning.bands[band].nodata
                    made = halved(self._levels[band, step - 1], nodata=nodata)
                    self._levels[band, step] = made
            return self._levels[band, level]


class _LargeJpeg:
    """A large JPEG: smaller copies that cost less, and all of it when that is asked for.

    Args:
        data: the file.
        info: what it is.
        meaning: what its numbers mean.
    """

    def __init__(self, data: bytes, info: ImageInfo, meaning: Meaning) -> None:
        self.info = info
        self.meaning = meaning
        self._data = data
        self._lock = threading.Lock()
        self._copies: dict[int, Whole] = {}
        self._begins: dict[int, int] = {}

    @property
    def held(self) -> int:
        """Bytes of memory that it takes once it was looked at closely."""
        return len(self._data) + self.info.width * self.info.height * self.info.bands * 3 // 2

    def read(self, bands: Sequence[int], level: int, box: Box | None) -> list[NDArray[Any]]:
        """Stored numbers of some bands: a part of a level, or all of it."""
        copy, base = self._copy(min(level, _EIGHTH))
        return copy.read(bands, level - base, box)

    def _copy(self, level: int) -> tuple[Whole, int]:
        """A copy that has a level, and the level that it begins with."""
        with self._lock:
            if level not in self._begins:
                width, height = self.info.width, self.info.height
                longest = max(width, height)
                rgb = decode_scaled_jpeg(
                    self._data, side=-(-longest // (1 << level)), max_pixels=longest**2
                )
                across, down = level_size(width, height, level)
                base = level if rgb.shape[:2] == (down, across) else 0  # some come whole
                if base not in self._copies:
                    planes = _planes(rgb[..., : self.info.bands])
                    self._copies[base] = Whole(planes, self.info, self.meaning)
                self._begins |= {level: base} if base else dict.fromkeys(range(level + 1), 0)
            base = self._begins[level]
            return self._copies[base], base


class _PartsOfTiff:
    """A large TIFF of which only what is asked for is decoded."""

    def __init__(
        self,
        data: bytes,
        file: tifffile.TiffFile,
        info: ImageInfo,
        meaning: Meaning,
        small_level: int,
    ) -> None:
        self.info = info
        self.meaning = meaning
        self._data = data
        self._page = file.pages.first
        self._lock = threading.Lock()
        self._small_level = small_level
        self._small: Whole | None = None

    @classmethod
    def of(cls, data: bytes, info: ImageInfo, meaning: Meaning) -> _PartsOfTiff | None:
        """The file opened in parts; None when it is better read as a whole."""
        size = info.width * info.height * info.bands * np.dtype(info.dtype).itemsize
        if size <= _KEPT_WHOLE:
            return None
        file = tifffile.TiffFile(io.BytesIO(data))
        pages = tiff.stacked_pages(file)
        page = pages[0]
        turned = page.tags.get(274)
        in_parts = math.prod(_part_size(page)) * 16 <= info.width * info.height
        if len(pages) > 1 or not in_parts or (turned is not None and turned.value != 1):
            return None
        tiff.check_extent(page, len(data))
        tiff.check_embedded(page, data)
        level = 1
        while size >> (2 * level) > _SMALL_COPY:
            level += 1
        return cls(data, file, info, meaning, level)

    @property
    def held(self) -> int:
        """Bytes of memory that it takes, its small copy made."""
        return len(self._data) + _SMALL_COPY * 4 // 3

    def read(self, bands: Sequence[int], level: int, box: Box | None) -> list[NDArray[Any]]:
        """Stored numbers of some bands: a part of a level, or all of it."""
        if level >= self._small_level:
            return self._copy().read(bands, level - self._small_level, box)
        if box is None:
            across, down = level_size(self.info.width, self.info.height, level)
            box = Box(0, 0, down, across)
        factor = 1 << level
        whole = Box(
            box.top * factor,
            box.left * factor,
            min(box.bottom * factor, self.info.height),
            min(box.right * factor, self.info.width),
        )
        image = self._part(whole)
        return [self._reduced(image[..., band], band, level) for band in bands]

    def _reduced(self, plane: NDArray[Any], band: int, steps: int) -> NDArray[Any]:
        for _ in range(steps):
            plane = halved(plane, nodata=self.meaning.bands[band].nodata)
        return plane

    def _copy(self) -> Whole:
        """The small copy, made strip by strip."""
        with self._lock:
            if self._small is None:
                rows = 1 << self._small_level
                rows *= max(1, -(-max(_part_size(self._page)[0], TILE) // rows))
                made: list[list[NDArray[Any]]] = [[] for _ in range(self.info.bands)]
                for top in range(0, self.info.height, rows):
                    bottom = min(top + rows, self.info.height)
                    image = self._part(Box(top, 0, bottom, self.info.width))
                    for band, strips in enumerate(made):
                        strips.append(self._reduced(image[..., band], band, self._small_level))
                planes = [np.concatenate(strips) for strips in made]
                self._small = Whole(planes, self.info, self.meaning)
            return self._small

    def _part(self, box: Box) -> NDArray[Any]:
        """(H, W, C) of a part of the picture itself."""
        page = self._page
        high, wide = _part_size(page)
        down, across = -(-page.imagelength // high), -(-page.imagewidth // wide)
        separate = page.planarconfig == 2 and page.samplesperpixel > 1
        count = page.samplesperpixel if separate else 1
        samples = 1 if separate else page.samplesperpixel
        image = np.zeros((box.bottom - box.top, box.right - box.left, count * samples), page.dtype)
        more: dict[str, Any] = {"_fullsize": False}
        if page.jpegtables is not None or page.jpegheader is not None:
            more |= {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
        with reading("TIFF"):
            for row in range(box.top // high, -(-box.bottom // high)):
                for column in range(box.left // wide, -(-box.right // wide)):
                    for plane in range(count):
                        index = (plane * down + row) * across + column
                        at, size = page.dataoffsets[index], page.databytecounts[index]
                        encoded = self._data[at : at + size] if size else None
                        segment = page.decode(encoded, index, **more)[0]
                        if segment is not None:
                            _paste(image, segment[0], box, row * high, column * wide, plane)
            return tiff.finished(page, image)


def _part_size(page: tifffile.TiffPage) -> tuple[int, int]:
    """Height and width of the strips or tiles of a page."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip, page.imagelength), page.imagewidth


def _paste(
    image: NDArray[Any], segment: NDArray[Any], box: Box, top: int, left: int, first: int
) -> None:
    """Put what a strip or tile shares with a part of the picture into it."""
    upper, lower = max(top, box.top), min(top + segment.shape[0], box.bottom)
    begin, end = max(left, box.left), min(left + segment.shape[1], box.right)
    if upper < lower and begin < end:
        image[
            upper - box.top : lower - box.top,
            begin - box.left : end - box.left,
            first : first + segment.shape[2],
        ] = segment[upper - top : lower - top, begin - left : end - left]


def _planes(image: NDArray[Any]) -> list[NDArray[Any]]:
    """Bands of (H, W, C), not copied: of a large picture that would cost as much as decoding it."""
    return [image[..., n] for n in range(image.shape[2])]


def _thermal_plane(
    data: bytes, shape: tuple[int, ...], max_pixels: int
) -> NDArray[np.float32] | None:
    """Temperatures that a camera kept beside its picture, in the picture's size; None when none."""
    thermogram = read_thermogram(data, max_pixels=max_pixels)
    if thermogram is None:
        return None
    celsius = thermogram.celsius()
    turned = upright(celsius[..., None], jpeg.read_header(data).orientation)[..., 0]
    if abs(turned.shape[0] * shape[1] / (turned.shape[1] * shape[0]) - 1) > _SAME_SHAPE:
        return None  # of another shape than the picture: not the same scene
    resized = Image.fromarray(np.ascontiguousarray(turned)).resize(
        (shape[1], shape[0]), Image.Resampling.NEAREST
    )
    return np.asarray(resized, dtype=np.float32)
