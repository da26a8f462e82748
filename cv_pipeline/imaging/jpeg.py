"""JPEG through libjpeg-turbo: 8-bit grey, RGB and CMYK, with damage taken for what it is.

libjpeg fills what is missing with grey and only warns. Here a warning that means lost pixels is
an error, and one that does not (stray bytes between markers, an odd version number) is let pass.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from cv_pipeline.imaging.cmyk import rgb_of_inverted_cmyk
from cv_pipeline.imaging.header import Header
from cv_pipeline.imaging.orientation import exif_orientation

MAGIC = b"\xff\xd8\xff"

# Start-of-frame markers of the processes that libjpeg-turbo decodes: baseline, extended and
# progressive, with Huffman or arithmetic coding; and of those that it does not.
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_EXIF, _START_OF_SCAN, _END_OF_IMAGE = 0xE1, 0xDA, 0xD9

_COLORSPACES = {1: "GRAY", 3: "RGB", 4: "CMYK"}
"""Number of components to what they are decoded to."""

_HARMLESS = (
    "Could not determine subsampling",  # the TurboJPEG interface knows the usual ones only
    "Invalid SOS parameters",
    "Unknown Adobe color transform",
    "bad ICC marker",
    "thumbnail image size",
    "unknown JFIF revision",
)
_STRAY = re.compile(r"(\d+) extraneous bytes before marker 0x(..)")


@dataclass(frozen=True)
class _Frame:
    height: int
    width: int
    components: int
    orientation: int


def read_header(data: bytes) -> Header:
    """Read size, bands and orientation from what comes before the first scan.

    Raises:
        ValueError: there is no frame, or it is of a kind that is not decoded.
        struct.error: it is cut off.
    """
    frame = _frame(data)
    bands = 1 if frame.components == 1 else 3
    return Header("JPEG", frame.width, frame.height, bands, "uint8", frame.orientation)


def frame_size(data: bytes) -> tuple[int, int]:
    """Height and width that a JPEG stream of any kind declares; (0, 0) when it has no frame."""
    for marker, segment in _segments(data):
        if marker in _FRAMES or marker in _OTHER_FRAMES:
            _, height, width = struct.unpack_from(">BHH", segment)
            return height, width
    return 0, 0


def read_pixels(data: bytes) -> NDArray[Any]:
    """Decode to (H, W, 1) grey or (H, W, 3) RGB, uint8; CMYK becomes RGB.

    Raises:
        ValueError, OSError: it is damaged or cut off.
    """
    colorspace = _COLORSPACES[_frame(data).components]
    try:
        image = simplejpeg.decode_jpeg(data, colorspace)
    except ValueError as error:
        if not _is_harmless(str(error), data):
            raise
        image = _read_leniently(data)
    # Adobe stores the inks inverted, and so does everybody else.
    return rgb_of_inverted_cmyk(image) if colorspace == "CMYK" else image


def read_scaled(data: bytes, *, side: int) -> NDArray[np.uint8]:
    """Decode to (H, W, 3) RGB, as much smaller as the DCT allows for nothing.

    Args:
        data: the file.
        side: pixels that the longer side has at least, unless the picture has fewer.

    Raises:
        ValueError, OSError: it is damaged or cut off.
    """
    frame = _frame(data)
    if _COLORSPACES[frame.components] == "CMYK":
        return np.asarray(read_pixels(data), dtype=np.uint8)
    longest = max(frame.height, frame.width)
    least = [max(1, length * side // longest) for length in (frame.height, frame.width)]
    try:
        scaled: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, "RGB", min_height=least[0], min_width=least[1]
        )
    except ValueError as error:
        if not _is_harmless(str(error), data):
            raise
        scaled = np.repeat(pixels, 3, 2) if (pixels := read_pixels(data)).shape[2] == 1 else pixels
    return scaled


def _read_leniently(data: bytes) -> NDArray[Any]:
    """Decode through Pillow, which minds nothing but the end of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd EXIF blocks
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
        pixels = np.asarray(image).reshape(image.height, image.width, -1)
    # Pillow has turned the inks round already.
    return 255 - pixels if image.mode == "CMYK" else pixels


def _frame(data: bytes) -> _Frame:
    """Read the frame header and, before it, the orientation."""
    orientation = 1
    for marker, segment in _segments(data):
        if marker == _EXIF and segment.startswith(b"Exif\0\0"):
            orientation = exif_orientation(segment)
        elif marker in _FRAMES:
            precision, height, width, components = struct.unpack_from(">BHHB", segment)
            if precision != 8 or components not in _COLORSPACES:
                raise ValueError(f"{components} components of {precision} bits are not read")
            return _Frame(height, width, components, orientation)
        elif marker in _OTHER_FRAMES:
            raise ValueError("lossless and hierarchical JPEG are not read")
    raise ValueError("it has no frame")


def _is_harmless(warning: str, data: bytes) -> bool:
    """Tell whether what libjpeg warns of leaves every pixel as it was encoded."""
    stray = _STRAY.search(warning)
    if stray is None:
        return any(phrase in warning for phrase in _HARMLESS)
    count, marker = int(stray[1]), int(stray[2], 16)
    if marker != _END_OF_IMAGE:
        return True
    # At the end of the picture: some cameras pad it; anything else is a scan that lost its way.
    end = data.find(b"\xff\xd9", data.find(b"\xff\xda"))
    return not data[max(end - count, 0) : end].strip(b"\0\xff")


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and payload of each segment before the first scan."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker == 0 or marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in (_START_OF_SCAN, _END_OF_IMAGE):
            return
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            if length < 2:
                raise ValueError("a segment has no length")
            yield marker, data[at + 4 : at + 2 + length]
            at += 2 + length
