"""Small pictures of files, as fast as their format allows.

A JPEG is decoded at an eighth to the whole of its size, whichever just suffices, which costs half
of a full decode. Everything else is decoded and rendered whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.imaging import jpeg
from cv_pipeline.imaging.read import decode, decode_scaled_jpeg
from cv_pipeline.imaging.render import thumbnail_jpeg, to_rgb8

QUALITY = 82
"""Of JPEG: about 10 KB for 256 pixels."""


def small_jpeg(data: bytes, *, side: int, max_pixels: int, quality: int = QUALITY) -> bytes:
    """A JPEG of a file's picture, upright, that fits in ``side`` × ``side`` pixels.

    Args:
        data: the file.
        side: longest side, pixels; a smaller picture is not enlarged.
        max_pixels: largest allowed width × height.
        quality: of JPEG, 1 to 100.

    Raises:
        ImageError: as of ``read.decode``.
    """
    rgb8: NDArray[np.uint8]
    if data.startswith(jpeg.MAGIC):
        rgb8 = decode_scaled_jpeg(data, side=side, max_pixels=max_pixels)
    else:
        rgb8 = to_rgb8(decode(data, max_pixels=max_pixels))
    return thumbnail_jpeg(np.ascontiguousarray(rgb8), size=side, quality=quality)
