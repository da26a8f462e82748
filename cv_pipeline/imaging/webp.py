"""WebP through Pillow; the header is read here, because Pillow makes room for the whole picture
before it tells the size. Of an animation the first frame is read.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import WebPImagePlugin

from cv_pipeline.imaging.header import Header
from cv_pipeline.imaging.orientation import exif_orientation

_ALPHA_FLAG = 0x10


def is_webp(data: bytes) -> bool:
    """Tell whether a file begins as WebP does."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_header(data: bytes) -> Header:
    """Read size, bands and orientation from the chunks.

    Raises:
        ValueError: the first chunk is not one of WebP.
        struct.error: it is cut off.
    """
    chunks = _chunks(data)
    kind, first = next(chunks, (b"", b""))
    if kind == b"VP8X":  # flags, then 24 bits each of width - 1 and height - 1
        flags, width_low, width_high, height_low, height_high = struct.unpack_from(
            "<B3xHBHB", first
        )
        width = 1 + (width_low | width_high << 16)
        height = 1 + (height_low | height_high << 16)
        alpha = bool(flags & _ALPHA_FLAG)
    elif kind == b"VP8L":  # a signature byte, then 14 bits each, then one that says alpha
        (bits,) = struct.unpack_from("<xI", first)
        width, height, alpha = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1)
    elif kind == b"VP8 ":  # frame tag and start code, then 14 bits of each and 2 of scaling
        width, height = (n & 0x3FFF for n in struct.unpack_from("<6xHH", first))
        alpha = False
    else:
        raise ValueError(f"its first chunk is {kind.decode('latin-1')!r}")
    exif = next((bytes(content) for kind, content in chunks if kind == b"EXIF"), b"")
    bands = 4 if alpha else 3
    return Header("WEBP", width, height, bands, "uint8", exif_orientation(exif))


def read_pixels(data: bytes) -> NDArray[Any]:
    """Decode to (H, W, 3) RGB or (H, W, 4) RGBA, uint8.

    Raises:
        OSError, ValueError: it is damaged or cut off.
    """
    mode = "RGBA" if read_header(data).bands == 4 else "RGB"
    with WebPImagePlugin.WebPImageFile(io.BytesIO(data)) as image:
        return np.asarray(image.convert(mode))


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield kind and content of each RIFF chunk; the last may be cut off."""
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, memoryview(data)[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
