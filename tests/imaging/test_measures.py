from __future__ import annotations

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageFilter

from cv_pipeline.imaging import measure


def flat(*color: int, shape: tuple[int, int] = (20, 30)) -> np.ndarray:
    return np.full((*shape, 3), color, np.uint8)


@pytest.mark.parametrize(
    ("color", "brightness", "saturation", "hue"),
    [
        ((0, 0, 0), 0.0, 0.0, 0.0),
        ((255, 255, 255), 1.0, 0.0, 0.0),
        ((128, 128, 128), 128 / 255, 0.0, 0.0),
        ((255, 0, 0), 0.299, 1.0, 0.0),
        ((255, 255, 0), 0.886, 1.0, 60.0),
        ((0, 255, 0), 0.587, 1.0, 120.0),
        ((0, 255, 255), 0.701, 1.0, 180.0),
        ((0, 0, 255), 0.114, 1.0, 240.0),
        ((255, 0, 255), 0.413, 1.0, 300.0),
        ((200, 100, 100), 0.5094, 0.5, 0.0),
    ],
)
def test_flat_colours(
    color: tuple[int, int, int], brightness: float, saturation: float, hue: float
) -> None:
    found = measure(flat(*color))
    assert found.brightness == pytest.approx(brightness, abs=1e-4)
    assert found.saturation == pytest.approx(saturation, abs=1e-6)
    assert found.hue == pytest.approx(hue, abs=1e-4)
    assert found.contrast == pytest.approx(0, abs=1e-6)
    assert found.sharpness == pytest.approx(0, abs=1e-6)


@given(color=st.tuples(*[st.integers(0, 255)] * 3))
def test_hue_and_saturation_are_those_of_hsv(color: tuple[int, int, int]) -> None:
    found = measure(flat(*color, shape=(3, 3)))
    hue, saturation, _ = colorsys.rgb_to_hsv(*(c / 255 for c in color))
    assert found.saturation == pytest.approx(saturation, abs=1e-5)
    if saturation > 0.05:
        # The hexagon of HSV and the circle differ by 1.12 degrees at most.
        assert abs((found.hue - hue * 360 + 180) % 360 - 180) < 1.2


def test_black_and_white_have_the_largest_contrast() -> None:
    picture = flat(0, 0, 0, shape=(64, 64))
    picture[:, 32:] = 255
    assert measure(picture).contrast == pytest.approx(0.5)


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 50, 1), dtype=np.uint8)
    luma = picture[..., 0].astype(float)
    rows = [
        luma[y - 1, x] + luma[y + 1, x] + luma[y, x - 1] + luma[y, x + 1] - 4 * luma[y, x]
        for y in range(1, 39)
        for x in range(1, 49)
    ]
    found = measure(picture.repeat(3, axis=2))
    assert found.sharpness == pytest.approx(np.var(rows), rel=1e-5)


def test_blur_lowers_sharpness_whatever_the_size() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8))
    for size in ((50, 40), (500, 400)):
        picture = noise.resize(size, Image.Resampling.BICUBIC)
        blurred = picture.filter(ImageFilter.GaussianBlur(size[0] / 25))
        sharp, soft = measure(np.asarray(picture)), measure(np.asarray(blurred))
        assert soft.sharpness < sharp.sharpness / 5


def test_the_mean_hue_of_reds_on_both_sides_of_zero_is_red() -> None:
    picture = np.concatenate([flat(255, 0, 40), flat(255, 40, 0)])
    assert measure(picture).hue % 359.9 == pytest.approx(0, abs=0.2)


def test_colours_that_cancel_have_no_hue() -> None:
    picture = np.concatenate([flat(255, 0, 0), flat(0, 255, 255)])
    assert measure(picture).hue == 0.0


def test_large_pictures_measure_as_small_ones() -> None:
    y, x = np.mgrid[0:100, 0:128]
    small = np.stack([x * 2, y * 2, 255 - x], axis=2).astype(np.uint8)
    large = np.asarray(Image.fromarray(small).resize((1280, 1000), Image.Resampling.BICUBIC))
    a, b = measure(small), measure(large)
    assert b.brightness == pytest.approx(a.brightness, abs=0.005)
    assert b.contrast == pytest.approx(a.contrast, abs=0.005)
    assert b.saturation == pytest.approx(a.saturation, abs=0.01)
    assert b.hue == pytest.approx(a.hue, abs=1)


@given(picture=hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_ranges(picture: np.ndarray) -> None:
    found = measure(picture)
    assert 0 <= found.brightness <= 1.000001
    assert 0 <= found.contrast <= 0.500001
    assert 0 <= found.saturation <= 1
    assert 0 <= found.hue < 360
    assert found.sharpness >= 0
    assert measure(picture) == found
