"""Reads a picture file: what it is, from its header alone, and its pixels.

Pure functions of bytes. The format is told by content, never by name; every band and every bit of
depth is kept; EXIF orientation is applied; a file that is cut off or damaged is an ``ImageError``
and never a picture with grey in it, as far as its format allows to see.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cv_pipeline.errors import ImageError
from cv_pipeline.imaging import dicom, jpeg, pillow_formats, png, tiff, webp
from cv_pipeline.imaging.geo_tags import tiff_meaning
from cv_pipeline.imaging.header import Header, ImageInfo
from cv_pipeline.imaging.meaning import Meaning, plain_meaning
from cv_pipeline.imaging.orientation import upright

__all__ = ["ImageInfo", "decode", "decode_scaled_jpeg", "explain", "inspect", "reading"]

_BYTES_PER_PIXEL = 16
"""Room for each allowed pixel, such as four bands of 32 bits: what bounds pictures of few pixels
and thousands of bands."""

_DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What decoders raise of damaged files: tifffile and Pillow have no class of their own for it."""


@dataclass(frozen=True)
class _Format:
    name: str
    header: Callable[[bytes], Header]
    pixels: Callable[[bytes], NDArray[Any]]


_JPEG = _Format("JPEG", jpeg.read_header, jpeg.read_pixels)
_PNG = _Format("PNG", png.read_header, png.read_pixels)
_TIFF = _Format("TIFF", tiff.read_header, tiff.read_pixels)
_WEBP = _Format("WebP", webp.read_header, webp.read_pixels)
_DICOM = _Format("DICOM", dicom.read_header, dicom.read_pixels)
_OTHER = _Format("GIF, BMP or PNM", pillow_formats.read_header, pillow_formats.read_pixels)


def inspect(data: bytes, *, max_pixels: int, max_bytes: int) -> ImageInfo:
    """Tell what a file is from its header, without decoding a pixel.

    Args:
        data: the file.
        max_pixels: largest allowed width × height.
        max_bytes: largest allowed size of the file.

    Raises:
        ImageError: ``reason`` is ``empty_file``, ``not_an_image``, ``too_large`` (the file),
            ``too_many_pixels`` or ``corrupt_image`` (its header).
    """
    if len(data) > max_bytes:
        raise ImageError(
            f"The file has {len(data)} bytes; at most {max_bytes} are allowed.",
            reason="too_large",
            do="Raise source.max_bytes if it is meant to be this large.",
        )
    return _header(data, _format_of(data), max_pixels).info()


def decode(data: bytes, *, max_pixels: int, frame: int = 0) -> NDArray[Any]:
    """Decode a file's picture, upright.

    Palettes, CMYK and YCbCr become RGB, fewer than 8 bits become 8, transparency is a last band;
    everything else keeps its type and its bands.

    Args:
        data: the file.
        max_pixels: largest allowed width × height, checked before a pixel is decoded.
        frame: which picture of a DICOM file; other files have one.

    Returns:
        (H, W, C), C-contiguous, of the type, size and bands that ``inspect`` tells.

    Raises:
        ImageError: ``reason`` as for ``inspect``; ``corrupt_image`` also for damaged or missing
            pixels.
    """
    format_ = _format_of(data)
    header = _header(data, format_, max_pixels)
    with reading(format_.name):
        image = dicom.read_pixels(data, frame=frame) if format_ is _DICOM else format_.pixels(data)
        expected = (header.height, header.width, header.bands)
        if image.shape != expected or image.dtype.name != header.dtype:
            raise ValueError(
                f"its header says {expected} {header.dtype},"
                f" its pixels are {image.shape} {image.dtype.name}"
            )
    return np.ascontiguousarray(upright(image, header.orientation))


def decode_scaled_jpeg(data: bytes, *, side: int, max_pixels: int) -> NDArray[Any]:
    """Decode a JPEG to (H, W, 3), upright and no larger than is needed.

    Args:
        data: the file.
        side: pixels that the longer side has at least, unless the picture has fewer.
        max_pixels: largest allowed width × height.

    Raises:
        ImageError: as of :func:`decode`.
    """
    header = _header(data, _JPEG, max_pixels)
    with reading(_JPEG.name):
        return upright(jpeg.read_scaled(data, side=side), header.orientation)


def explain(data: bytes, *, max_pixels: int, name: str = "", frame: int = 0) -> Meaning:
    """Tell what the numbers mean that ``decode`` gives.

    Args:
        data: the file.
        max_pixels: largest allowed width × height.
        name: the file's name, which of a sensor's single band can tell which it is.
        frame: which picture of a DICOM file.

    Raises:
        ImageError: as of :func:`decode`.
    """
    format_ = _format_of(data)
    header = _header(data, format_, max_pixels)
    with reading(format_.name):
        if format_ is _DICOM:
            return dicom.read_meaning(data, frame=frame)
        if format_ is _TIFF:
            return tiff_meaning(data, bands=header.bands, name=name)
    return plain_meaning(header.bands)


def _format_of(data: bytes) -> _Format:
    """The format that the first bytes are of."""
    if not data:
        raise ImageError("The file is empty.", reason="empty_file")
    if dicom.is_dicom(data):  # first, for what comes before its mark is often that of a TIFF
        return _DICOM
    for magics, format_ in (
        (jpeg.MAGIC, _JPEG),
        (png.MAGIC, _PNG),
        (tiff.MAGICS, _TIFF),
        (pillow_formats.MAGICS, _OTHER),
    ):
        if data.startswith(magics):
            return format_
    if webp.is_webp(data):
        return _WEBP
    raise ImageError(
        f"The file is no image: it begins with {data[:8]!r}.",
        reason="not_an_image",
        do="JPEG, PNG, TIFF, WebP, GIF, BMP, PNM and DICOM are read.",
    )


def _header(data: bytes, format_: _Format, max_pixels: int) -> Header:
    """Read the header and check what it declares."""
    with reading(format_.name):
        header = format_.header(data)
        if min(header.width, header.height, header.bands) < 1:
            raise ValueError(f"it declares {header.width} × {header.height} × {header.bands}")
    pixels = header.width * header.height
    size = pixels * header.bands * np.dtype(header.dtype).itemsize
    if pixels > max_pixels or size > max_pixels * _BYTES_PER_PIXEL:
        raise ImageError(
            f"The image declares {header.width} × {header.height} pixels of {header.bands}"
            f" {header.dtype} bands; at most {max_pixels} pixels are allowed.",
            reason="too_many_pixels",
            do="Raise source.max_pixels if it is meant to be this large.",
        )
    return header


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what a decoder of a format says into an ``ImageError``."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise ImageError(f"The image is too large: {error}.", reason="too_many_pixels") from error
    except _DECODER_ERRORS as error:
        raise ImageError(
            f"The {name} is damaged, cut off or of a kind that is not read:"
            f" {str(error).rstrip('.') or type(error).__name__}.",
            reason="corrupt_image",
        ) from error
