"""PNG through libpng at its own depth, 8 or 16 bits, with every checksum verified.

Palettes become RGB, fewer than 8 bits become 8, and transparency of any kind becomes a last band.
Of an animation the default picture is read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import imagecodecs
from numpy.typing import NDArray

from cv_pipeline.imaging.header import Header
from cv_pipeline.imaging.orientation import exif_orientation

MAGIC = b"\x89PNG\r\n\x1a\n"

# Colour type to the number of bands; a transparent colour (tRNS) adds one to the first three.
_BANDS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}


def read_header(data: bytes) -> Header:
    """Read size, depth, bands and orientation from what comes before the pixels.

    Raises:
        ValueError: the chunks are not those of a PNG.
        struct.error: it is cut off.
    """
    chunks: dict[bytes, bytes] = {}
    for kind, content in _chunks(data):
        if kind == b"IDAT":
            break
        chunks.setdefault(kind, bytes(content))
    width, height, depth, color = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    if color not in _BANDS:
        raise ValueError(f"colour type {color} does not exist")
    return Header(
        format="PNG",
        width=width,
        height=height,
        bands=_BANDS[color] + (b"tRNS" in chunks and color < 4),
        dtype="uint16" if depth == 16 else "uint8",
        orientation=exif_orientation(chunks.get(b"eXIf", b"")),
    )


def read_pixels(data: bytes) -> NDArray[Any]:
    """Decode to (H, W, C), uint8 or uint16.

    Raises:
        ValueError, RuntimeError: it is damaged or cut off.
    """
    for _ in _chunks(data):
        pass  # libpng forgives a missing end; the chunks' own sums do not
    image = imagecodecs.png_decode(data)
    return image.reshape(*image.shape[:2], -1)


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield kind and content of each chunk, verified when the next one is asked for.

    Raises:
        ValueError: it does not begin or end as it must, or a chunk that pixels depend on (its
            kind begins with a capital) does not have its checksum.
    """
    view = memoryview(data)
    at = len(MAGIC)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if (kind == b"IHDR") != (at == len(MAGIC)):
            raise ValueError("its header is not where it must be")
        content = view[at + 8 : at + 8 + length]
        yield kind, content
        at += 12 + length
        if at > len(data):
            break
        (checksum,) = struct.unpack_from(">I", data, at - 4)
        if kind[:1].isupper() and zlib.crc32(content, zlib.crc32(kind)) != checksum:
            raise ValueError(f"its chunk {kind.decode('latin-1')} is damaged")
        if kind == b"IEND":
            return
    raise ValueError("it is cut off")
