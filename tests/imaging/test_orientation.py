from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cv_pipeline.imaging.orientation import exif_orientation, upright


@pytest.mark.parametrize("value", range(1, 9))
def test_reads_what_pillow_writes(value: int) -> None:
    exif = Image.Exif()
    exif[271], exif[274], exif[305] = "maker", value, "software"
    assert exif_orientation(exif.tobytes()) == value
    assert exif_orientation(exif.tobytes().removeprefix(b"Exif\0\0")) == value


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("value", "expected"), [(0, 1), (6, 6), (9, 1), (65535, 1)])
def test_both_byte_orders(order: str, value: int, expected: int) -> None:
    start = b"II*\0" if order == "<" else b"MM\0*"
    exif = start + struct.pack(f"{order}IHHHIHH", 8, 1, 274, 3, 1, value, 0)
    assert exif_orientation(exif) == expected


@given(rest=st.binary(max_size=60), start=st.sampled_from([b"", b"II*\0", b"MM\0*\0\0\0\x08"]))
def test_damaged_blocks_name_no_orientation(start: bytes, rest: bytes) -> None:
    assert 1 <= exif_orientation(b"Exif\0\0" + start + rest) <= 8


def test_corners_land_where_exif_says() -> None:
    """The stored corners of a picture whose upright corners are 1 2 / 3 4, for each value."""
    stored = {
        1: [[1, 2], [3, 4]],
        2: [[2, 1], [4, 3]],
        3: [[4, 3], [2, 1]],
        4: [[3, 4], [1, 2]],
        5: [[1, 3], [2, 4]],
        6: [[2, 4], [1, 3]],
        7: [[4, 2], [3, 1]],
        8: [[3, 1], [4, 2]],
    }
    for orientation, corners in stored.items():
        image = np.array(corners)[..., None]
        assert upright(image, orientation)[..., 0].tolist() == [[1, 2], [3, 4]], orientation
