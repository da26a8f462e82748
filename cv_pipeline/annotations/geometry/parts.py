"""Masks as they come from outside: kept as they are, until the size of their image is known.

A file may say that its image has any size. What it gives of a mask is kept as text no longer than
what it gave; only ``whole_mask``, which is told the size that the image has, makes pixels of it.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.annotations.geometry.run_lengths import (
    BadShape,
    Runs,
    check_size,
    decode_counts,
    encode_counts,
    line_of_runs,
    runs_of_part,
)
from cv_pipeline.annotations.geometry.shape import Mask

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class MaskPart:
    """A part of a mask as run lengths row by row, first of the pixels outside.

    Attributes:
        size: height and width that the image is said to have.
        at: row and column of the part's first pixel.
        part: height and width of the part.
        counts: run lengths.
    """

    size: Size
    at: tuple[int, int]
    part: Size
    counts: Runs

    def __post_init__(self) -> None:
        """Refuse a part that is none of its image.

        Raises:
            BadShape: it reaches out of it, or one of them has a size that none has.
        """
        check_size(*self.size)
        check_size(*self.part)
        _within(self.at, self.part, self.size)

    @property
    def text(self) -> str:
        """JSON for ``whole_mask``."""
        told = {
            "at": self.at,
            "part": self.part,
            "rows": encode_counts(self.counts),
            "size": self.size,
        }
        return json.dumps(told, separators=(",", ":"))

    @property
    def whole(self) -> Mask:
        """The mask; makes pixels of the part."""
        return whole_mask(self.text, size=self.size)


def picture_text(picture: object, *, at: tuple[int, int], size: Size) -> str:
    """JSON for ``whole_mask`` of a mask that is a PNG in base64, which is not decoded yet.

    Args:
        picture: the text.
        at: row and column of its first pixel.
        size: height and width that the image is said to have.

    Raises:
        BadShape: it is none, or reaches out of the image.
    """
    check_size(*size)
    _within(at, _size_of_picture(picture), size)
    return json.dumps({"at": at, "png": picture, "size": size}, separators=(",", ":"))


def whole_mask(text: str, *, size: Size) -> Mask:
    """The mask that text of a part gives.

    Args:
        text: of ``MaskPart`` or ``picture_text``.
        size: height and width that the image has.

    Raises:
        BadShape: it is no such text, or of an image of another size.
    """
    told = _told(text)
    try:
        match told:
            case {"at": [int(top), int(left)], "size": [int(height), int(width)], **what}:
                said = height, width
            case _:
                raise BadShape("bad_geometry", f"No mask: {text[:60]!r}.")
        if said != size:
            raise _of_another(said, size)
        match what:
            case {"rows": str(rows), "part": [int(high), int(wide)]}:
                MaskPart(size, (top, left), (high, wide), np.zeros(0, np.int64))
                pixels = _pixels(decode_counts(rows, high * wide), wide)
                top += pixels[1]
                part = pixels[0]
            case {"png": str(picture)}:
                _within((top, left), _size_of_picture(picture), size)
                part = _decoded(picture)
            case _:
                raise BadShape("bad_geometry", f"No mask: {text[:60]!r}.")
    except (TypeError, ValueError) as error:
        if isinstance(error, BadShape):
            raise
        raise BadShape("bad_geometry", f"No mask: {text[:60]!r}.") from None
    return Mask(size, runs_of_part(part, left=left, top=top, size=size))


def said_size(text: str) -> Size | None:
    """Height and width of the image that a mask's text states, of a part or not; None for none."""
    match _told(text):
        case {"size": [int(height), int(width)]}:
            return height, width
    return None


def is_part(text: str) -> bool:
    """Whether text is of a part, and not that of a mask."""
    told = _told(text)
    return isinstance(told, dict) and ("rows" in told or "png" in told)


def _told(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _of_another(said: Size, size: Size) -> BadShape:
    return BadShape(
        "size_mismatch",
        f"A mask of {said[1]}×{said[0]} pixels, but the image has {size[1]}×{size[0]}.",
    )


def _within(at: tuple[int, int], part: Size, size: Size) -> None:
    top, left = at
    if left < 0 or top < 0 or top + part[0] > size[0] or left + part[1] > size[1]:
        raise BadShape(
            "out_of_frame_shape",
            f"A mask of {part[1]}×{part[0]} pixels at ({left}, {top}) in an image of"
            f" {size[1]}×{size[0]}.",
        )


def _pixels(counts: Runs, wide: int) -> tuple[NDArray[np.bool_], int]:
    """The rows of a part from the first to the last with a pixel inside, and which is the first."""
    ends = np.cumsum(counts)
    inside = np.flatnonzero(counts[1::2])
    if not len(inside):
        return np.zeros((1, 1), dtype=bool), 0
    first = int(ends[2 * inside[0]]) // wide
    last = int(ends[2 * inside[-1] + 1] - 1) // wide
    bounds = np.clip(np.r_[0, ends], first * wide, (last + 1) * wide)
    return line_of_runs(np.diff(bounds)).reshape(last + 1 - first, wide), first


def _size_of_picture(text: object) -> Size:
    """Height and width of a PNG in base64, without a look at its pixels."""
    from PIL import Image

    if not isinstance(text, str):
        raise BadShape("bad_mask", "A mask without a picture.")
    try:
        with Image.open(_bytes(text), formats=["PNG"]) as image:
            check_size(image.height, image.width)
            image.verify()
            return image.height, image.width
    except BadShape:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(error) from None


def _decoded(text: str) -> NDArray[np.bool_]:
    from PIL import Image

    try:
        with Image.open(_bytes(text), formats=["PNG"]) as image:
            return np.asarray(image.convert("L")) > 0
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(error) from None


def _bytes(text: str) -> io.BytesIO:
    try:
        return io.BytesIO(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> BadShape:
    return BadShape("bad_mask", f"Its picture cannot be read: {str(error)[:80]}.")
