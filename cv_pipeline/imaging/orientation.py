"""EXIF orientation: how a stored picture must be turned to be upright.

Tag 274 of the first directory of an EXIF block (which is a small TIFF file) or of a TIFF file.
The picture is upright for a viewer, and boxes drawn on what the viewer shows fit it.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

ORIENTATION_TAG = 274
_SHORT = 3


def exif_orientation(exif: bytes) -> int:
    """Orientation that an EXIF block names, 1 to 8; 1 when it names none or is damaged.

    Args:
        exif: the block, beginning with its byte order; a leading ``Exif\\0\\0`` is skipped.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for n in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * n)
            if tag == ORIENTATION_TAG:
                return valid_orientation(value if kind == _SHORT else None)
    except struct.error:  # cut off
        return 1
    return 1


def valid_orientation(value: object) -> int:
    """``value`` when it is an orientation, else 1."""
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(image: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """Turn a stored picture upright.

    Args:
        image: (H, W, C).
        orientation: EXIF orientation, 1 to 8.

    Returns:
        (H, W, C), or (W, H, C) for orientations 5 to 8; a view.
    """
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    # After the transposition, which of the axes run backwards (EXIF 2.3, section 4.6.4 A).
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return image[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
