"""Alignment: a crop fits its original, and a picture with one thing more does not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cv_pipeline.datasets.duplicates.alignment import FULL, mismatches, smooth
from cv_pipeline.imaging.perceptual import grey_thumbnail
from tests.datasets.pictures import Picture, belt, cropped, frame, re_encoded

WHOLE = np.array([FULL], np.float32)


def mismatch(first: Picture, second: Picture, window: NDArray[np.float32] = WHOLE) -> float:
    a, b = (
        smooth(np.rint(grey_thumbnail(picture)).astype(np.uint8)[None])
        for picture in (first, second)
    )
    return float(mismatches(a, b, window)[0])


@pytest.fixture
def picture() -> Picture:
    rng = np.random.default_rng(11)
    return frame(rng, belt(rng))


def test_a_picture_fits_itself(picture: Picture) -> None:
    assert mismatch(picture, picture) == pytest.approx(0, abs=0.02)
    assert mismatch(picture, re_encoded(np.random.default_rng(0), picture)) < 0.3


def test_light_does_not_matter(picture: Picture) -> None:
    brighter = np.clip(picture * 0.7 + 40, 0, 255).astype(np.uint8)
    assert mismatch(picture, brighter) < 0.3


def test_the_window_of_a_crop_is_found_from_nearby(picture: Picture) -> None:
    kept = np.ascontiguousarray(picture[6:116, 10:156])  # 5 %, 3 % and 6 %, 2.5 % off
    nearby = np.array([[1.28, 31.68, 1.28, 31.68]], np.float32)
    assert mismatch(picture, kept, nearby) < 1
    assert mismatch(kept, picture) > 1  # no window of the crop holds the whole


def test_a_small_thing_more_does_not_fit(picture: Picture) -> None:
    other = picture.copy()
    other[50:66, 70:90] = (230, 60, 40)
    assert mismatch(picture, other) > 1


def test_flat_pictures_fit() -> None:
    flat = np.full((32, 32, 3), 80, np.uint8)
    assert mismatch(flat, flat + np.uint8(1)) <= 1


def test_many_pairs_are_the_same_as_one_at_a_time() -> None:
    rng = np.random.default_rng(2)
    pictures = [frame(rng, belt(rng)) for _ in range(150)]
    crops = [cropped(rng, p) for p in pictures]
    first, second = (
        smooth(np.stack([np.rint(grey_thumbnail(p)).astype(np.uint8) for p in many]))
        for many in (pictures, crops)
    )
    windows = np.repeat(WHOLE, 150, axis=0)
    together = mismatches(first, second, windows)
    alone = [float(mismatches(first[n : n + 1], second[n : n + 1], WHOLE)[0]) for n in (0, 70, 149)]
    assert together[[0, 70, 149]] == pytest.approx(alone, rel=1e-2)
