"""Pictures of any depth and number of bands as 8-bit RGB, thumbnails and contact sheets.

What a person looks at, and what hashes, measures and models that expect RGB are given. The same
picture renders to the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps

_LOW, _HIGH = 1.0, 99.0
_SAMPLED_SIDE = 1024
_GAP = 4
_BACKGROUND = (32, 32, 32)


def to_rgb8(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Render a picture as 8-bit RGB.

    One band, or one and transparency, becomes grey; of more than three the first three are shown.
    8-bit values stay. All others are stretched linearly so that the 1st percentile of what is
    shown becomes 0 and the 99th becomes 255, together for all bands, which keeps their hues;
    percentiles are taken of at most about a million pixels on a regular grid. NaN becomes 0.

    Args:
        image: (H, W, C), any real type, C ≥ 1.

    Returns:
        (H, W, 3) uint8, C-contiguous.
    """
    shown = image[..., :3] if image.shape[2] >= 3 else image[..., :1]
    rgb = shown if shown.dtype == np.uint8 else _stretched(shown)
    return np.ascontiguousarray(np.broadcast_to(rgb, (*rgb.shape[:2], 3)))


def thumbnail_jpeg(rgb8: NDArray[np.uint8], *, size: int, quality: int = 85) -> bytes:
    """Encode a picture as a JPEG that fits in ``size`` × ``size`` pixels; never enlarged.

    Args:
        rgb8: (H, W, 3) uint8.
        size: longest side, pixels.
        quality: of JPEG, 1 to 100.
    """
    image = Image.fromarray(rgb8)
    image.thumbnail((size, size), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return encode_jpeg(np.asarray(image), quality=quality)


def contact_sheet(images: Sequence[NDArray[np.uint8]], *, columns: int, size: int) -> bytes:
    """Lay pictures out in a grid, row by row, as one JPEG.

    Args:
        images: each (H, W, 3) uint8; scaled to fit its cell, enlarged if it is smaller.
        columns: pictures in a row.
        size: side of a cell, pixels.
    """
    rows = max(1, math.ceil(len(images) / columns))
    step = size + _GAP
    sheet = Image.new("RGB", (columns * step + _GAP, rows * step + _GAP), _BACKGROUND)
    for n, rgb8 in enumerate(images):
        cell = ImageOps.contain(Image.fromarray(rgb8), (size, size), Image.Resampling.BICUBIC)
        row, column = divmod(n, columns)
        left = _GAP + column * step + (size - cell.width) // 2
        top = _GAP + row * step + (size - cell.height) // 2
        sheet.paste(cell, (left, top))
    return encode_jpeg(np.asarray(sheet))


def _stretched(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Stretch (H, W, C) of any type between its percentiles to 0 … 255."""
    steps = [math.ceil(side / _SAMPLED_SIDE) for side in image.shape[:2]]
    sample = image[:: steps[0], :: steps[1]].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    low, high = np.percentile(sample, (_LOW, _HIGH)) if sample.size else (0.0, 1.0)
    # 16-bit values are exact in 32 bits, at half the memory.
    small = image.dtype.kind in "bui" and image.dtype.itemsize <= 2
    values: NDArray[np.floating] = image.astype(np.float32 if small else np.float64)
    with np.errstate(all="ignore"):  # extremes of wide types: they are clipped
        values = (values - low) * (255.0 / max(high - low, np.finfo(np.float32).tiny))
        values = np.clip(np.rint(values), 0.0, 255.0)
    return np.asarray(np.nan_to_num(values), dtype=np.uint8)


def encode_jpeg(rgb8: NDArray[np.uint8], *, quality: int = 85, subsampling: str = "420") -> bytes:
    """Encode a picture as a JPEG of its own size.

    Args:
        rgb8: (H, W, 3) uint8.
        quality: of JPEG, 1 to 100.
        subsampling: ``444`` keeps every pixel's colour, ``420`` the mean of four.
    """
    encoded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(rgb8), quality=quality, colorsubsampling=subsampling
    )
    return encoded
