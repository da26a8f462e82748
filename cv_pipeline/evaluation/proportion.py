"""How sure a proportion is, from counts alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.evaluation.measure import Interval

Z = 1.959963984540054
"""Standard normal quantile of 97.5 %."""


def wilson(part: int, whole: int) -> Interval:
    """A proportion with its 95 % score interval (Wilson 1927), which holds up near 0 and 1.

    Args:
        part: images, or objects, that count.
        whole: all of them; above 0.
    """
    share = part / whole
    (low, high) = wilson_bounds(np.array([part]), np.array([whole]))[0].tolist()
    return Interval(share, min(low, share), max(high, share))


def wilson_bounds(
    part: NDArray[np.int64] | NDArray[np.float64],
    whole: NDArray[np.int64] | NDArray[np.float64],
) -> NDArray[np.float64]:
    """(n, 2) low and high ends of the 95 % score intervals; NaN where the whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = part / whole
        middle = share + Z**2 / (2 * whole)
        reach = Z * np.sqrt(share * (1 - share) / whole + Z**2 / (4 * whole.astype(float) ** 2))
        ends = np.stack([middle - reach, middle + reach], axis=1) / (1 + Z**2 / whole)[:, None]
    return np.clip(ends, 0.0, 1.0)
