"""Copies of images that are not byte for byte the same, and what happens to their boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from cv_pipeline.samples.fruit.files import jpeg
from cv_pipeline.samples.fruit.picture import Fruit

KINDS = ("reencoded", "resized", "mirrored", "cropped")
_SIZES = ((160, 120), (104, 78), (256, 192))


def copy(
    kind: str, pixels: npt.NDArray[np.uint8], fruit: list[Fruit], rng: np.random.Generator
) -> tuple[bytes, tuple[int, int], list[Fruit]]:
    """Make a copy of an image.

    Args:
        kind: one of ``KINDS``.
        pixels: (height, width, 3) uint8.
        fruit: what is in it.
        rng: chooses size, margins and quality.

    Returns:
        The JPEG file, its width and height, and the fruit with boxes in its pixels.
    """
    height, width, _ = pixels.shape
    quality = int(rng.integers(60, 86))
    if kind == "resized":
        width_to, height_to = _SIZES[int(rng.integers(len(_SIZES)))]
        shown = Image.fromarray(pixels).resize((width_to, height_to), Image.Resampling.BICUBIC)
        pixels = np.asarray(shown)
        fruit = [_moved(f, scale=width_to / width, width=width_to, height=height_to) for f in fruit]
    elif kind == "mirrored":
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        fruit = [
            replace(f, box=(width - f.box[2], f.box[1], width - f.box[0], f.box[3])) for f in fruit
        ]
    elif kind == "cropped":
        left, top, right, bottom = (int(v) for v in rng.integers(1, 4, size=4))
        pixels = np.ascontiguousarray(pixels[top : height - bottom, left : width - right])
        size = {"width": width - left - right, "height": height - top - bottom}
        fruit = [_moved(f, left=left, top=top, **size) for f in fruit]
    elif kind != "reencoded":
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    return jpeg(pixels, quality=quality), (pixels.shape[1], pixels.shape[0]), fruit


def _moved(
    fruit: Fruit, *, width: int, height: int, scale: float = 1.0, left: int = 0, top: int = 0
) -> Fruit:
    x_min, y_min, x_max, y_max = fruit.box
    box = (
        min(max((x_min - left) * scale, 0.0), width),
        min(max((y_min - top) * scale, 0.0), height),
        min(max((x_max - left) * scale, 0.0), width),
        min(max((y_max - top) * scale, 0.0), height),
    )
    whole = (x_max - x_min) * (y_max - y_min) * scale * scale
    kept = (box[2] - box[0]) * (box[3] - box[1]) / whole
    outside = fruit.outside + (1 - fruit.outside) * (1 - kept)
    return replace(fruit, box=box, outside=round(outside, 4))
