"""Small pictures of files, as fast as their format allows.

A JPEG is decoded at the least number of eighths of its size that suffices, which costs a fifth of
a full decode; to bring that to a size exactly would cost twice as much again. Everything else is
decoded and rendered whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.imaging import jpeg
from cv_pipeline.imaging.read import decode, decode_scaled_jpeg
from cv_pipeline.imaging.render import encode_jpeg, thumbnail_jpeg, to_rgb8

QUALITY = 82
"""Of JPEG: about 10 KB for 256 pixels."""

_MORE = 4 / 3
"""How much larger than asked for a picture may be that need not fit exactly."""


def small_jpeg(
    data: bytes, *, side: int, max_pixels: int, quality: int = QUALITY, exactly: bool = True
) -> bytes:
    """A JPEG of a file's picture, upright, that fits in ``side`` × ``side`` pixels.

    Args:
        data: the file.
        side: longest side, pixels; a smaller picture is not enlarged.
        max_pixels: largest allowed width × height.
        quality: of JPEG, 1 to 100.
        exactly: False where up to a third more pixels do no harm.

    Raises:
        ImageError: as of ``read.decode``.
    """
    rgb8: NDArray[np.uint8]
    if data.startswith(jpeg.MAGIC):
        rgb8 = decode_scaled_jpeg(data, side=side, max_pixels=max_pixels)
    else:
        rgb8 = to_rgb8(decode(data, max_pixels=max_pixels))
    if not exactly and max(rgb8.shape) <= side * _MORE:
        return encode_jpeg(rgb8, quality=quality)
    return thumbnail_jpeg(np.ascontiguousarray(rgb8), size=side, quality=quality)
