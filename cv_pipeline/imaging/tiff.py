"""TIFF and BigTIFF of any depth and any number of bands, through tifffile.

No band is ever lost, and every strip or tile that the file declares must lie inside it. Pages of
one band each, all of one size and type, are the bands of one picture; of other pages the first is
read. Palettes and CMYK become RGB; fewer than 8 bits become 8; grey in which zero is white is
inverted.
"""

from __future__ import annotations

import io
import logging
import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from cv_pipeline.imaging import jpeg, webp
from cv_pipeline.imaging.cmyk import rgb_of_inverted_cmyk
from cv_pipeline.imaging.header import Header
from cv_pipeline.imaging.orientation import ORIENTATION_TAG, valid_orientation

MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Values of PhotometricInterpretation; TIFF 6.0, and DNG for the last two.
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _MASK, _SEPARATED, _YCBCR = range(7)
_MOSAIC, _LINEAR_RAW = 32803, 34892
_PLAIN = {_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _MASK, _SEPARATED, _MOSAIC, _LINEAR_RAW}
_DECODED_TO_RGB = {6, 7, 50001}
"""Compressions (JPEG, WebP) whose decoder turns YCbCr into RGB."""

_JPEG_IN_TIFF = {6, 7, 33007, 34892}
_JPEG_2000 = {33003, 33004, 33005, 34712}
_WEBP_IN_TIFF = {50001}
_UNBOUNDED = set(tifffile.TIFF.IMAGE_COMPRESSIONS) - _JPEG_IN_TIFF - _JPEG_2000 - _WEBP_IN_TIFF
"""Compressions with a size of their own that is not checked here: JPEG XL and XR, PNG, …"""

_MOST_BANDS = 32
"""Pages that are taken for bands; a stack of more is a film or a volume."""

_LARGE_TILE = 64 << 20
"""Bytes that a tile may have though the picture is smaller."""

# What is odd about a file is told by an error or not at all, rather than on standard error.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_header(data: bytes) -> Header:
    """Read size, depth, bands and orientation of the first page.

    Raises:
        ValueError, and what else tifffile raises of a damaged directory.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pages = stacked_pages(file)
        page = pages[0]
        tag = page.tags.get(ORIENTATION_TAG)
        bands, dtype = page.samplesperpixel * len(pages), page.dtype
        if page.photometric == _PALETTE or _is_cmyk(page):
            bands, dtype = 3, np.dtype(np.uint8)
        elif page.bitspersample < 8:
            dtype = np.dtype(np.uint8)
        return Header(
            format="TIFF",
            width=page.imagewidth,
            height=page.imagelength,
            bands=bands,
            dtype=dtype.name,
            orientation=valid_orientation(tag.value if tag else None),
        )


def read_pixels(data: bytes) -> NDArray[Any]:
    """Decode the first page, or the pages that are its bands, to (H, W, C) of its own type.

    Raises:
        ValueError, and what else decoders raise of damaged strips and tiles.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        bands = [_page_pixels(page, data) for page in stacked_pages(file)]
        return bands[0] if len(bands) == 1 else np.concatenate(bands, axis=2)


def stacked_pages(file: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """The pages that make up the picture, checked: the first, or all where each is one band.

    Raises:
        ValueError: one cannot be read.
    """
    first = _checked(file.pages.first)
    pages = [first]
    if first.samplesperpixel == 1 and first.photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK):
        for number in range(1, _MOST_BANDS + 1):
            try:
                page = file.pages[number]
            except IndexError:
                return pages
            if not _is_alike(page, first) or number == _MOST_BANDS:
                return [first]
            pages.append(_checked(page))
    return pages


def _is_alike(page: tifffile.TiffPage, first: tifffile.TiffPage) -> bool:
    """Whether a page can be another band; overviews and masks are none."""
    return bool(
        page.shape == first.shape
        and page.dtype == first.dtype
        and page.bitspersample == first.bitspersample
        and page.samplesperpixel == 1
        and page.photometric == first.photometric
        and not page.is_reduced
        and not page.is_mask
    )


def _page_pixels(page: tifffile.TiffPage, data: bytes) -> NDArray[Any]:
    """Decode a page to (H, W, C)."""
    check_extent(page, len(data))
    check_embedded(page, data)
    # (separate bands, depth, H, W, contiguous bands)
    stored: NDArray[Any] = page.asarray(squeeze=False, maxworkers=1)
    image = np.moveaxis(stored[:, 0], 0, 2).reshape(*stored.shape[2:4], -1)
    return finished(page, image)


def finished(page: tifffile.TiffPage, image: NDArray[Any]) -> NDArray[Any]:
    """Stored numbers as readers see them: colours of palettes and inks, and white turned round.

    Args:
        page: where they are from.
        image: (H, W, C), the whole page or a part of it.
    """
    if page.photometric == _PALETTE:
        return _colored(image[..., 0], page.colormap)
    if _is_cmyk(page):
        return rgb_of_inverted_cmyk(255 - image)
    largest = (1 << page.bitspersample) - 1
    if page.photometric == _MIN_IS_WHITE and image.dtype.kind in "bu":
        image = ~image if image.dtype.kind == "b" else image.dtype.type(largest) - image
    if page.bitspersample < 8:
        image = (image.astype(np.uint16) * 255 // largest).astype(np.uint8)
    return np.asarray(image, dtype=image.dtype.newbyteorder("="))


def _checked(page: tifffile.TiffPage) -> tifffile.TiffPage:
    """The page when its directory describes a picture that can be read.

    Raises:
        ValueError: it does not.
    """
    if page.dtype is None or page.dtype.kind not in "biuf":
        raise ValueError(f"samples of {page.bitspersample} bits of this format are not read")
    if page.imagedepth != 1:
        raise ValueError("volumes are not read")
    if page.photometric not in _PLAIN and not (
        page.photometric == _YCBCR and page.compression in _DECODED_TO_RGB
    ):
        raise ValueError(f"colours of kind {page.photometric!s} are not read")
    if page.compression in _UNBOUNDED:
        raise ValueError(f"compression {page.compression!s} is not read")
    if page.photometric == _PALETTE and (page.colormap is None or page.samplesperpixel != 1):
        raise ValueError("its palette is missing")
    tile = math.prod(page.chunks) * page.dtype.itemsize if page.is_tiled else 0
    if tile > max(page.nbytes, _LARGE_TILE):
        raise ValueError(f"it declares tiles of {tile} bytes")
    return page


def check_extent(page: tifffile.TiffPage, size: int) -> None:
    """Check that what the page declares lies within ``size`` bytes.

    Raises:
        ValueError: it does not: the file is cut off.
    """
    offsets = np.asarray(page.dataoffsets, dtype=np.float64)
    counts = np.asarray(page.databytecounts, dtype=np.float64)
    if page.is_contiguous:
        ends = offsets[:1] + page.nbytes
    elif len(offsets) == len(counts) >= math.prod(page.chunked):
        ends = offsets + counts
    else:
        raise ValueError("strips or tiles are missing")
    if not ends.size or ends.max() > size:
        raise ValueError("it is cut off")


def check_embedded(page: tifffile.TiffPage, data: bytes) -> None:
    """Check that pictures within the picture, such as JPEG tiles, are no larger than its tiles.

    Raises:
        ValueError: one is: its decoder would make room for all of it.
    """
    if page.compression in _JPEG_IN_TIFF:
        size_of: Callable[[bytes], tuple[int, int]] = jpeg.frame_size
    elif page.compression in _JPEG_2000:
        size_of = jpeg_2000_size
    elif page.compression in _WEBP_IN_TIFF:
        size_of = _webp_size
    else:
        return
    height, width = page.chunks[:2]
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        found = size_of(data[offset : offset + count]) if count else (0, 0)
        if math.prod(found) > height * width:
            raise ValueError(f"a tile of {height} × {width} holds one of {found}")


def jpeg_2000_size(data: bytes) -> tuple[int, int]:
    """Height and width of a JPEG 2000 code stream, bare or boxed (ITU-T T.800, A.5.1)."""
    width, height = struct.unpack_from(">II", data, data.index(b"\xff\x4f\xff\x51") + 8)
    return height, width


def _webp_size(data: bytes) -> tuple[int, int]:
    header = webp.read_header(data)
    return header.height, header.width


def _is_cmyk(page: tifffile.TiffPage) -> bool:
    return bool(
        page.photometric == _SEPARATED and page.samplesperpixel == 4 and page.dtype == np.uint8
    )


def _colored(indices: NDArray[Any], colormap: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Look colours up: (H, W) indices and (3, N) 16-bit colours to (H, W, 3)."""
    shift = 8 if colormap.max(initial=0) > 255 else 0  # else the writer took them for 8-bit
    colors: NDArray[np.uint8] = (colormap.T >> shift).astype(np.uint8)
    return np.take(colors, indices, axis=0)
