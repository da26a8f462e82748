"""Windows: hashing one is hashing the picture that was cut to it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from cv_pipeline.datasets.duplicates.crops import WINDOWS, window_coefficients, window_hashes
from cv_pipeline.imaging.perceptual import grey_thumbnail, hamming, phash
from tests.datasets.pictures import free_scene


def test_a_window_hashes_as_the_picture_cut_to_it() -> None:
    rng = np.random.default_rng(0)
    pictures = [np.asarray(Image.fromarray(free_scene(rng)).resize((320, 320))) for _ in range(5)]
    thumbnails = np.stack([grey_thumbnail(p) for p in pictures])
    hashes = window_hashes(window_coefficients(thumbnails))
    assert hashes.shape == (5, 81)
    for n, picture in enumerate(pictures):
        for number in (0, 13, 40, 80):
            left, right, top, bottom = np.rint(WINDOWS[number] * 10).astype(int)
            cut = grey_thumbnail(np.ascontiguousarray(picture[top:bottom, left:right]))
            assert hamming(hashes[n, number], phash(cut[None])[0]) <= 6


def test_windows_leave_out_one_to_seven_per_cent_of_each_side() -> None:
    assert WINDOWS.shape == (81, 4)
    inside = np.stack([WINDOWS[:, 0], 32 - WINDOWS[:, 1], WINDOWS[:, 2], 32 - WINDOWS[:, 3]])
    assert set(np.rint(inside.ravel() / 32 * 100)) == {1, 4, 7}  # per cent
