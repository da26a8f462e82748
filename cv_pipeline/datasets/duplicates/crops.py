"""Hashes of the windows of a picture that a light crop may have kept.

A crop moves every edge, so its perceptual hash is far from the original's, but it is near the hash
of the right window of the original. Every picture is therefore hashed under each of the 81 windows
whose edges lie 1, 4 or 7 % inside, which leaves at most 1.5 % on a side for crops of up to 8.5 %.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.datasets.duplicates.hash_pairs import Hashes
from cv_pipeline.imaging.perceptual import SIDE

SHARES = (0.01, 0.04, 0.07)
"""Shares of a side that a window leaves out at one edge."""
FREQUENCIES = 8
"""Lowest frequencies of the hash along each axis, without the constant one."""


def _edges() -> NDArray[np.float32]:
    low, high = zip(*product(SHARES, SHARES), strict=True)
    return np.array([low, 1 - np.array(high)], np.float32).T * SIDE


AXIS = _edges()
"""(9, 2) lower and upper edge of a window along one axis, thumbnail pixels."""
WINDOWS = np.array([(*x, *y) for y in AXIS for x in AXIS], np.float32)
"""(81, 4) windows in the order of :func:`window_hashes`: x_min, x_max, y_min, y_max."""


def window_coefficients(thumbnails: NDArray[np.float32]) -> NDArray[np.float32]:
    """The lowest frequencies of every window, as if it were the whole picture.

    Cutting a window and transforming it are both linear, so one product with their combined
    matrix gives the coefficients of all windows at once.

    Args:
        thumbnails: (N, 32, 32) luma.

    Returns:
        (N, 81, 64) the coefficients that ``imaging.perceptual.phash`` compares.
    """
    count, size = len(AXIS), FREQUENCIES
    blocks = (_BASIS @ thumbnails @ _BASIS.T).reshape(-1, count, size, count, size)
    return np.ascontiguousarray(blocks.transpose(0, 1, 3, 2, 4).reshape(-1, count**2, size**2))


def window_hashes(coefficients: NDArray[np.float32]) -> Hashes:
    """The perceptual hash of every window.

    Args:
        coefficients: (N, 81, 64), of :func:`window_coefficients`.

    Returns:
        (N, 81) hashes, as ``imaging.perceptual.phash`` defines them.
    """
    half = coefficients.shape[2] // 2
    middle = np.sort(coefficients, axis=2)[:, :, half - 1 : half + 1]
    octets = np.packbits(coefficients > middle.mean(2, keepdims=True), axis=2)
    return octets.view(">u8").astype(np.uint64)[:, :, 0]


def _basis() -> NDArray[np.float32]:
    """(72, 32) matrix from a line of pixels to the lowest frequencies of each window of it."""
    scale = np.sqrt(2 / SIDE)
    at, frequency = np.arange(SIDE) + 0.5, np.arange(1, FREQUENCIES + 1)
    cosines = scale * np.cos(np.pi * frequency[:, None] * at / SIDE)
    cells = np.linspace(AXIS[:, 0], AXIS[:, 1], SIDE + 1, axis=1)[:, :, None]
    pixel = np.arange(SIDE)
    overlap = np.minimum(cells[:, 1:], pixel + 1) - np.maximum(cells[:, :-1], pixel)
    average = np.clip(overlap, 0, None)
    average /= average.sum(2, keepdims=True)
    return np.asarray((cosines @ average).reshape(-1, SIDE), dtype=np.float32)


_BASIS = _basis()
