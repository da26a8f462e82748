"""Half of a picture's size: what each step of a pyramid is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def halved(plane: NDArray[Any], *, nodata: float | None = None) -> NDArray[Any]:
    """A band at half its size, rounded up, of the same type.

    Each number is the mean of two by two, of those that are numbers; at odd edges of fewer. Where
    a number stands for no measurement, or the type holds more than means are exact in, one of the
    four is taken.

    Args:
        plane: (H, W).
        nodata: number that stands for no measurement.
    """
    height, width = plane.shape
    if nodata is not None or plane.dtype.itemsize * (plane.dtype.kind in "iu") > 4:
        return np.ascontiguousarray(plane[::2, ::2])
    padded = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    quarters = (padded[::2, ::2], padded[::2, 1::2], padded[1::2, ::2], padded[1::2, 1::2])
    if plane.dtype.kind in "iu":
        small = plane.dtype.itemsize <= 2 and plane.dtype.kind == "u"
        wide = np.dtype(np.uint32 if small else np.int64)
        total = np.full(quarters[0].shape, 2, wide)
        for quarter in quarters:
            total += quarter
        return np.asarray(total >> 2).astype(plane.dtype)
    if plane.dtype.kind == "b":
        return np.ascontiguousarray(padded[::2, ::2])
    with np.errstate(all="ignore"):
        known = [~np.isnan(q) for q in quarters]
        parts = [np.where(k, q, 0) / 4 for k, q in zip(known, quarters, strict=True)]
        count = sum(k.astype(np.float32) for k in known)
        mean = sum(parts) * (4 / np.where(count == 0, np.nan, count))
    return np.asarray(mean).astype(plane.dtype)
