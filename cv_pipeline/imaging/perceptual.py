"""A 64-bit perceptual hash: pictures that look the same have hashes that differ in few bits.

Re-encoding photographs at JPEG quality 60 or scaling them by a third to two changes 3 bits at most
(32-pixel pictures: 8); unrelated pictures differ in about 32. The hash does not see through crops
of more than a few per cent, nor mirroring: hash the mirrored thumbnail for that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
_LOWEST = 8
_NOISE = 0.01
"""Grey levels: coefficients are rounded to it, so that flat pictures and other machines' last
bits of arithmetic do not decide."""


def grey_thumbnail(rgb8: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma of a picture at 32 × 32 pixels, whatever its proportions.

    Args:
        rgb8: (H, W, 3) uint8.

    Returns:
        (32, 32) float32, 0 to 255: Rec. 601 luma, averaged with a triangular filter.
    """
    luma = Image.fromarray(rgb8).convert("L").convert("F")
    return np.asarray(luma.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def phash(batch: NDArray[Any]) -> NDArray[np.uint64]:
    """Hash thumbnails by their low frequencies.

    C. Zauner, *Implementation and Benchmarking of Perceptual Image Hash Functions*, 2010, section
    3.2.1: of the two-dimensional DCT-II of the 32 × 32 picture take the coefficients (u, v) with
    1 ≤ u, v ≤ 8, which leaves out the mean and whatever varies along one axis only; a bit is 1
    where its coefficient is above the median of the 64. Bits run row by row from the highest.

    Args:
        batch: (N, 32, 32) luma; ``batch[:, :, ::-1]`` gives the hashes of the mirrored pictures.

    Returns:
        (N,) uint64.
    """
    levels = np.rint(low_frequencies(batch) / _NOISE)
    bits = levels > np.median(levels, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def low_frequencies(batch: NDArray[Any]) -> NDArray[np.float64]:
    """The coefficients whose signs about their median are the bits of the hash.

    Args:
        batch: (N, 32, 32) luma.

    Returns:
        (N, 64) coefficients of the orthonormal DCT-II, in the order of the bits; those of the
        mirrored picture are the same with every first, third, … one negated.
    """
    coefficients = _BASIS @ batch.astype(np.float64) @ _BASIS.T
    return np.asarray(coefficients.reshape(-1, _LOWEST**2))


def hamming(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Number of bits in which hashes differ, 0 to 64; shapes are broadcast."""
    return np.bitwise_count(np.bitwise_xor(a, b))


def _dct_basis() -> NDArray[np.float64]:
    """Rows 1 to 8 of the orthonormal DCT-II of length 32: (8, 32)."""
    frequency = np.arange(1, _LOWEST + 1)[:, None]
    position = np.arange(SIDE)[None, :]
    angle = np.pi * (2 * position + 1) * frequency / (2 * SIDE)
    return np.asarray(np.sqrt(2.0 / SIDE) * np.cos(angle))


_BASIS = _dct_basis()
