"""Plain measures of a picture: how bright, contrasty, sharp and colourful it is.

All are taken of the picture reduced to 128 pixels, so that pictures of different sizes compare and
measuring costs less than decoding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 128
_NO_DIRECTION = 1e-6
"""Length of a mean vector below which the rounding of colours that cancel would decide."""


@dataclass(frozen=True)
class Measures:
    """Measures of one picture; the columns of the same names of ``image_features``.

    Attributes:
        brightness: mean luma, 0 to 1.
        contrast: standard deviation of luma, 0 to 0.5.
        sharpness: variance of the Laplacian of luma, grey levels squared; blurred pictures have
            less, commonly below 100.
        saturation: mean saturation of HSV, 0 to 1.
        hue: mean hue, degrees from 0 (red) to 360; 0 for a picture without colour.
    """

    brightness: float
    contrast: float
    sharpness: float
    saturation: float
    hue: float


def measure(rgb8: NDArray[np.uint8]) -> Measures:
    """Measure a picture, reduced so that its longer side has at most 128 pixels.

    With luma Y = 0.299 R + 0.587 G + 0.114 B (Rec. 601) over n pixels:

    - brightness = mean(Y) / 255, contrast = std(Y) / 255;
    - sharpness = var(∇²Y) of the four-neighbour Laplacian, without the border (Pech-Pacheco et
      al., *Diatom autofocusing in brightfield microscopy*, 2000);
    - saturation = mean(S), S = (max − min) / max of R, G, B, and 0 for black (Smith, 1978);
    - hue = arg Σ S·z / |z|, the circular mean, weighted by saturation, of each pixel's angle in
      the plane across the grey axis, z = 2R − G − B + i√3 (G − B): red, yellow, green … are at
      0, 60, 120 … degrees (Hanbury, *Circular statistics applied to colour images*, 2003).

    Args:
        rgb8: (H, W, 3) uint8.
    """
    image = Image.fromarray(rgb8)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    red, green, blue = np.moveaxis(np.asarray(image, dtype=np.float32), 2, 0).copy()
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    largest = np.maximum(np.maximum(red, green), blue)
    saturation = 1 - np.minimum(np.minimum(red, green), blue) / np.maximum(largest, 1)
    saturation[largest == 0] = 0
    angle = _mean_angle(2 * red - green - blue, np.sqrt(3.0) * (green - blue), saturation)
    return Measures(
        brightness=float(luma.mean(dtype=np.float64) / 255),
        contrast=float(luma.std(dtype=np.float64) / 255),
        sharpness=_laplacian_variance(luma),
        saturation=float(saturation.mean(dtype=np.float64)),
        hue=angle,
    )


def _laplacian_variance(luma: NDArray[Any]) -> float:
    """Variance of the four-neighbour Laplacian of (H, W); 0 for less than 3 × 3."""
    if min(luma.shape) < 3:
        return 0.0
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float((around - 4 * luma[1:-1, 1:-1]).var(dtype=np.float64))


def _mean_angle(x: NDArray[Any], y: NDArray[Any], weight: NDArray[Any]) -> float:
    """Weighted circular mean, degrees from 0 to 360, of the directions (x, y); 0 for none."""
    length = np.hypot(x, y)
    scaled = weight / np.where(length > 0, length, 1)
    mean_x = float(np.mean(x * scaled, dtype=np.float64))
    mean_y = float(np.mean(y * scaled, dtype=np.float64))
    if math.hypot(mean_x, mean_y) < _NO_DIRECTION:
        return 0.0
    # The second modulo: a tiny negative angle becomes 360.0 exactly in the first.
    return math.degrees(math.atan2(mean_y, mean_x)) % 360 % 360
