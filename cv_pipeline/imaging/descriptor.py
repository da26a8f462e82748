"""A descriptor of colour and edge layout: how alike two pictures look, as the cosine of an angle.

It says where a picture is light, what colours are where, and how edges run where, and nothing of
what is shown. Resizing and re-encoding hardly turn it; unrelated pictures are about at right
angles, because every element is a contrast around its own middle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LENGTH = 64
"""Elements of a descriptor."""

_SIDE = 64
_CELLS = 4
_GRID = 8
_ZIGZAG = ((0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2))
_COEFFICIENTS = (6, 5, 5)
_NOISE = 2.0
"""Grey levels of an edge's response that are not told from none: noise has no direction."""
_FAINT_COLOUR, _FAINT_EDGES = 2.5, 3.0
"""Lengths, in grey levels, of parts that count half: they hold little but noise."""


def descriptor(rgb8: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe a picture by the layout of its colours and edges.

    After the colour layout and edge histogram descriptors of MPEG-7 (Manjunath, Ohm, Vasudevan and
    Yamada, "Color and texture descriptors", IEEE Transactions on Circuits and Systems for Video
    Technology 11(6), 2001), of the picture reduced to 64 × 64 pixels:

    - 16 elements of colour: the DCT-II of the 8 × 8 mean colours in YCbCr about mid-grey, of
      which 6 coefficients of luma and 5 of each chroma are kept, in zigzag order;
    - 48 elements of edges: for each of 4 × 4 cells the mean responses of the five 2 × 2 filters as
      three contrasts: vertical less horizontal, 45° less 135°, and all together less their mean
      over the picture, halved. Means take the place of the histogram, whose thresholds would make
      small changes large; contrasts make the mean over pictures about zero.

    Both parts are of equal weight, unless one is faint: v becomes v / (|v| + faint).

    Args:
        rgb8: (H, W, 3) uint8.

    Returns:
        (64,) float32, of length 1; for an even mid-grey picture, which has no direction, the first
        unit vector.
    """
    image = Image.fromarray(rgb8)
    small = image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    levels = np.asarray(small.convert("YCbCr"), dtype=np.float32)
    elements = np.concatenate(
        [_weighed(_colours(levels), _FAINT_COLOUR), _weighed(_edges(levels[..., 0]), _FAINT_EDGES)]
    )
    length = np.linalg.norm(elements)
    if length == 0:
        return np.asarray(np.eye(1, LENGTH)[0], dtype=np.float32)
    return np.asarray(elements / length, dtype=np.float32)


def _colours(levels: NDArray[np.float32]) -> NDArray[np.float64]:
    """(16,) coefficients of (64, 64, 3) YCbCr."""
    cell = _SIDE // _GRID
    means = levels.reshape(_GRID, cell, _GRID, cell, 3).mean((1, 3), dtype=np.float64) - 128
    coefficients = np.einsum("ui,ijc,vj->cuv", _DCT, means, _DCT) / _GRID
    counts = enumerate(_COEFFICIENTS)
    return np.array([coefficients[c][place] for c, count in counts for place in _ZIGZAG[:count]])


def _edges(luma: NDArray[np.float32]) -> NDArray[np.float64]:
    """(48,) contrasts of the edges of (64, 64) luma."""
    a, b, c, d = luma[:-1, :-1], luma[:-1, 1:], luma[1:, :-1], luma[1:, 1:]
    responses = np.stack(
        [
            np.abs(a - b + c - d),
            np.abs(a + b - c - d),
            np.abs(np.sqrt(2) * (a - d)),
            np.abs(np.sqrt(2) * (b - c)),
            np.abs(2 * (a - b - c + d)),
        ]
    )
    responses = np.pad(np.maximum(responses - _NOISE, 0), ((0, 0), (0, 1), (0, 1)))
    cell = _SIDE // _CELLS
    cells = responses.reshape(5, _CELLS, cell, _CELLS, cell).mean((2, 4), dtype=np.float64)
    vertical, horizontal, rising, falling, _ = cells
    strength = cells.sum(0)
    contrasts = [vertical - horizontal, rising - falling, (strength - strength.mean()) / 2]
    return np.stack(contrasts, axis=-1).ravel()


def _weighed(part: NDArray[np.float64], faint: float) -> NDArray[np.float64]:
    return np.asarray(part / (np.linalg.norm(part) + faint))


def _dct() -> NDArray[np.float64]:
    """The orthonormal DCT-II of length 8."""
    frequency, position = np.arange(_GRID)[:, None], np.arange(_GRID)[None, :]
    basis = np.cos(np.pi * (2 * position + 1) * frequency / (2 * _GRID)) * np.sqrt(2 / _GRID)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis)


_DCT = _dct()
