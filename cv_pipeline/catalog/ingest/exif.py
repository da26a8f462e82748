"""The capture time that a camera wrote into its file.

Reads DateTimeOriginal (EXIF 2.3, section 4.6.5) and its offset from UTC from JPEG and TIFF files,
and nothing else; damage means that there is none.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime

_EXIF_DIRECTORY = 0x8769
_TIME_ORIGINAL = 0x9003
_OFFSET_ORIGINAL = 0x9011
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_MARKER = b"Exif\0\0"
_SEARCHED = 1 << 16


def capture_time(data: bytes) -> datetime | None:
    """Time at which the picture was taken, UTC; None when the file does not say.

    Args:
        data: an image file. A time without an offset is taken for UTC.
    """
    if data[:4] in _BYTE_ORDERS:
        block = data
    else:
        at = data.find(_MARKER, 0, _SEARCHED)
        if at < 0:
            return None
        block = data[at + len(_MARKER) : at + len(_MARKER) + _SEARCHED]
    try:
        return _capture_time(block)
    except (struct.error, ValueError, OverflowError):  # cut off, or no date
        return None


def _capture_time(block: bytes) -> datetime | None:
    order = _BYTE_ORDERS.get(block[:4])
    if order is None:
        return None
    (start,) = struct.unpack_from(f"{order}I", block, 4)
    pointer = _entry(block, order, start, _EXIF_DIRECTORY)
    if pointer is None:
        return None
    (directory,) = struct.unpack(f"{order}I", pointer[1])
    text = _text(block, order, directory, _TIME_ORIGINAL)
    if not text:
        return None
    offset = _text(block, order, directory, _OFFSET_ORIGINAL) or "+00:00"
    return datetime.strptime(text + offset, "%Y:%m:%d %H:%M:%S%z").astimezone(UTC)


def _entry(block: bytes, order: str, directory: int, wanted: int) -> tuple[int, bytes] | None:
    """Length and four value bytes of a directory's entry."""
    (count,) = struct.unpack_from(f"{order}H", block, directory)
    for n in range(count):
        tag, _, length, value = struct.unpack_from(f"{order}HHI4s", block, directory + 2 + 12 * n)
        if tag == wanted:
            return length, value
    return None


def _text(block: bytes, order: str, directory: int, tag: int) -> str:
    entry = _entry(block, order, directory, tag)
    if entry is None:
        return ""
    length, value = entry
    if length > 4:
        (at,) = struct.unpack(f"{order}I", value)
        value = block[at : at + min(length, 32)]
    return value[:length].split(b"\0")[0].decode("ascii").strip()
