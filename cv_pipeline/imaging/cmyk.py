"""Four printing inks as three colours of a screen, without a colour profile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rgb_of_inverted_cmyk(inks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours of inks: each is what its ink and black together let through.

    Args:
        inks: (H, W, 4) cyan, magenta, yellow, black; 255 is no ink.

    Returns:
        (H, W, 3) RGB.
    """
    light = inks.astype(np.uint16)
    return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)
