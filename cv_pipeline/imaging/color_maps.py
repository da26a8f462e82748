"""Colour maps: tables of 256 colours for one band.

Those of matplotlib under their own names, and ``iron``, which thermal cameras are known for.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

GREY = "grey"

_MATPLOTLIB = {
    "inferno": "inferno",
    "magma": "magma",
    "plasma": "plasma",
    "viridis": "viridis",
    "cividis": "cividis",
    "turbo": "turbo",
    "hot": "hot",
    "cool_warm": "coolwarm",
    "vegetation": "RdYlGn",
    "water": "RdBu",
}
_IRON = (
    (0.00, (0, 0, 0)),
    (0.10, (20, 0, 90)),
    (0.25, (95, 0, 150)),
    (0.45, (200, 30, 120)),
    (0.60, (235, 85, 30)),
    (0.78, (255, 165, 0)),
    (0.92, (255, 235, 95)),
    (1.00, (255, 255, 255)),
)
"""From black through violet, red and yellow to white, always brighter: place and colour."""

COLOR_MAPS = (GREY, "iron", *_MATPLOTLIB)
"""Names of the colour maps."""


@functools.cache
def color_table(name: str) -> NDArray[np.uint8]:
    """Colours of a map, from the least to the greatest.

    Args:
        name: one of :data:`COLOR_MAPS`.

    Returns:
        (256, 3) uint8; not to be written to.
    """
    steps = np.linspace(0.0, 1.0, 256)
    if name == GREY:
        table = np.repeat(np.arange(256)[:, None], 3, axis=1)
    elif name == "iron":
        places = [place for place, _ in _IRON]
        table = np.rint(
            np.stack([np.interp(steps, places, [c[n] for _, c in _IRON]) for n in range(3)], axis=1)
        )
    else:
        from matplotlib import colormaps

        table = np.rint(colormaps[_MATPLOTLIB[name]](steps)[:, :3] * 255)
    colors = table.astype(np.uint8)
    colors.setflags(write=False)
    return colors
