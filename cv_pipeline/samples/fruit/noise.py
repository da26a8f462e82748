"""Smooth noise, smoothsteps and blurs.

Only additions, products and quotients touch the arrays, so that results are the same to the bit
on every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.floating[Any]]
"""(height, width) values; float32, which the stubs of NumPy's functions lose sight of."""
Paint = npt.NDArray[np.floating[Any]]
"""(height, width, 3) red, green and blue; float32 likewise."""


def smooth(t: Plane) -> Plane:
    """Smoothstep of values, clipped to 0 to 1."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def value_noise(
    rng: np.random.Generator, shape: tuple[int, ...], cell: float, cell_x: float | None = None
) -> Plane:
    """Smooth noise, 0 to 1.

    Args:
        rng: where the noise comes from.
        shape: rows and columns.
        cell: size of a feature in pixels, down the rows.
        cell_x: its size along the columns; the same when left out.
    """
    height, width = shape
    step_y, step_x = np.float32(cell), np.float32(cell_x or cell)
    rows, columns = int(height / step_y) + 3, int(width / step_x) + 3
    lattice = rng.random((rows, columns), dtype=np.float32)
    y = np.arange(height, dtype=np.float32) / step_y
    x = np.arange(width, dtype=np.float32) / step_x
    top, left = y.astype(np.int32), x.astype(np.int32)
    v, u = smooth(y - top)[:, None], smooth(x - left)
    bands = lattice[top] * (1 - v) + lattice[top + 1] * v
    return bands[:, left] * (1 - u) + bands[:, left + 1] * u


def blur(plane: Plane, radius: int) -> Plane:
    """Two passes of a box blur of ``radius`` pixels; beyond the edge it is zero."""
    size = 2 * radius + 1
    for _ in range(2):
        for axis in (0, 1):
            pad = [(0, 0), (0, 0)]
            pad[axis] = (radius + 1, radius)
            total = np.cumsum(np.pad(plane, pad), axis=axis, dtype=np.float64)
            high = total[size:] if axis == 0 else total[:, size:]
            low = total[:-size] if axis == 0 else total[:, :-size]
            plane = ((high - low) / size).astype(np.float32)
    return plane
