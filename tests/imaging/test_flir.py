"""Temperatures of radiometric JPEGs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.errors import ImageError
from cv_pipeline.imaging import decode
from cv_pipeline.imaging.flir import read_thermogram
from cv_pipeline.imaging.opened import open_picture
from cv_pipeline.imaging.pyramid import Box
from tests.imaging.flir_files import flir_jpeg

LIMIT = 1_000_000
RAW = np.linspace(16_000, 21_000, 12 * 16).reshape(12, 16).astype(np.uint16)
PICTURE = np.full((24, 32, 3), 99, np.uint8)
BLACK_BODY = {0x20: 1.0, 0x24: 0.0, 0x34: 1.0}


def test_a_black_body_at_no_distance_is_planck_s_law_turned_round() -> None:
    found = read_thermogram(flir_jpeg(RAW, PICTURE, camera=BLACK_BODY), max_pixels=LIMIT)
    assert found is not None
    assert np.array_equal(found.raw, RAW)
    raw = RAW.astype(float)
    expected = 1501.0 / np.log(21106.77 / (0.012545258 * (raw - 7340)) + 1) - 273.15
    assert np.allclose(found.celsius(), expected, atol=1e-3)


def test_what_is_reflected_and_what_the_air_and_window_add_is_taken_away() -> None:
    """The whole formula, once more and term by term, as Thermimage's documentation has it."""
    emissivity, let, humidity, t = 0.95, 0.96, 0.5, 20.0

    def signal(celsius: float) -> float:
        return 21106.77 / (0.012545258 * (math.exp(1501.0 / (celsius + 273.15)) - 1)) + 7340

    water = humidity * math.exp(1.5587 + 0.06939 * t - 0.00027816 * t**2 + 0.00000068455 * t**3)
    tau = 1.9 * math.exp(-math.sqrt(0.5) * (0.006569 - 0.002276 * math.sqrt(water)))
    tau += (1 - 1.9) * math.exp(-math.sqrt(0.5) * (0.01262 - 0.00667 * math.sqrt(water)))
    room = signal(20.0)
    seen = 18_109
    own = seen / emissivity / tau / let / tau
    own -= (1 - emissivity) / emissivity * room
    own -= (1 - tau) / emissivity / tau * room
    own -= (1 - let) / emissivity / tau / let * room
    own -= (1 - tau) / emissivity / tau / let / tau * room
    expected = 1501.0 / math.log(21106.77 / (0.012545258 * (own - 7340)) + 1) - 273.15
    found = read_thermogram(flir_jpeg(np.full((2, 2), seen), PICTURE), max_pixels=LIMIT)
    assert found is not None
    assert found.celsius()[0, 0] == pytest.approx(expected, abs=0.01)
    assert 20 < expected < 30


def test_temperature_is_one_more_band_and_the_picture_stays() -> None:
    data = flir_jpeg(RAW, PICTURE, piece=100)
    assert decode(data, max_pixels=LIMIT).shape == (24, 32, 3)
    opened = open_picture(data, max_pixels=LIMIT)
    assert [(b.name, b.unit) for b in opened.meaning.bands][-1] == ("Temperature", "°C")
    celsius = opened.read([3], 0, Box(4, 6, 5, 7))[0]
    found = read_thermogram(data, max_pixels=LIMIT)
    assert found is not None
    assert celsius[0, 0] == found.celsius()[2, 3]  # half the size of the picture


def test_temperatures_of_another_scene_are_left_out() -> None:
    wide = np.full((12, 60, 3), 9, np.uint8)
    assert open_picture(flir_jpeg(RAW, wide), max_pixels=LIMIT).info.bands == 3


@pytest.mark.parametrize(
    "camera",
    [{0x20: 0.0}, {0x5C: math.nan}, {0x28: -5.0}, {0x58: math.inf}, {0x2C: 1e-30}],
    ids=["no emissivity", "no number", "below zero", "infinite", "overflow"],
)
def test_constants_that_mean_nothing_leave_the_picture(camera: dict[int, float]) -> None:
    data = flir_jpeg(RAW, PICTURE, camera=camera)
    assert read_thermogram(data, max_pixels=LIMIT) is None
    assert open_picture(data, max_pixels=LIMIT).info.bands == 3


def test_a_thermal_picture_that_is_too_large_is_refused() -> None:
    with pytest.raises(ImageError, match="16 × 12 pixels"):
        read_thermogram(flir_jpeg(RAW, PICTURE), max_pixels=100)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damage_is_no_thermogram_or_another_one(data: st.DataObject) -> None:
    whole = bytearray(flir_jpeg(RAW, PICTURE, piece=500))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(2, 2000))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        found = read_thermogram(cut, max_pixels=LIMIT)
    except ImageError:
        return
    if found is not None:
        assert found.celsius().shape == found.raw.shape
