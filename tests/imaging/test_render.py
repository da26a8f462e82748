from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from cv_pipeline.imaging import contact_sheet, decode, thumbnail_jpeg, to_rgb8
from cv_pipeline.storage import open_source


def ramp(dtype: str, low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 101 * 101).reshape(101, 101, 1).astype(dtype)


def test_8_bit_stays_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 4), dtype=np.uint8)
    assert np.array_equal(to_rgb8(image), image[..., :3])
    assert np.array_equal(to_rgb8(image[..., :3]), image[..., :3])


@pytest.mark.parametrize("bands", [1, 2])  # the second is transparency
def test_one_band_becomes_grey(bands: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 8, bands), dtype=np.uint8)
    rgb = to_rgb8(image)
    assert rgb.shape == (9, 8, 3)
    assert all(np.array_equal(rgb[..., n], image[..., 0]) for n in range(3))


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("uint16", 6743, 7077),  # a thermal frame: without stretching, all one grey
        ("uint16", 0, 65535),
        ("int16", -500, 1200),
        ("uint32", 0, 4e9),
        ("float32", -0.2, 0.9),
        ("float64", 1e9, 1e9 + 1),
        ("float16", 0, 1),
    ],
)
def test_other_types_are_stretched_between_their_percentiles(
    dtype: str, low: float, high: float
) -> None:
    rgb = to_rgb8(ramp(dtype, low, high))
    assert rgb.min() == 0
    assert rgb.max() == 255
    assert abs(float(rgb[50, 50, 0]) - 127.5) < 2
    assert (rgb == 0).mean() == pytest.approx(0.01, abs=0.005)
    assert (np.diff(rgb[..., 0].ravel().astype(int)) >= 0).all()


def test_bands_are_stretched_together_so_that_hues_stay() -> None:
    grey = ramp("uint16", 0, 10_000)
    rgb = to_rgb8(np.dstack([grey, grey // 2, grey * 0]))
    bright = rgb[95, 50].astype(float)
    assert bright[1] / bright[0] == pytest.approx(0.5, abs=0.02)
    assert bright[2] == 0


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf, -np.inf])
def test_flat_pictures_are_black(value: float) -> None:
    rgb = to_rgb8(np.full((4, 5, 1), value, np.float32))
    assert set(np.unique(rgb)) <= {0, 255}  # infinity is white


def test_what_is_not_a_number_does_not_spoil_the_rest() -> None:
    image = ramp("float32", 0, 1)
    image[0, :5] = [[np.nan], [np.inf], [-np.inf], [3e38], [-3e38]]
    rgb = to_rgb8(image)
    assert rgb[0, :5, 0].tolist() == [0, 255, 0, 255, 0]
    assert abs(float(rgb[50, 50, 0]) - 127.5) < 2


@settings(deadline=None)
@given(
    image=st.sampled_from(["uint8", "uint16", "int32", "float32", "float64"]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6))
    )
)
def test_anything_renders(image: np.ndarray) -> None:
    rgb = to_rgb8(image)
    assert rgb.shape == (*image.shape[:2], 3)
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    assert np.array_equal(rgb, to_rgb8(image))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((480, 640), (64, 48)), ((640, 480), (48, 64)), ((10, 20), (20, 10)), ((1, 2000), (64, 1))],
)
def test_thumbnails_fit_and_are_not_enlarged(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    picture = np.full((*shape, 3), (200, 100, 50), np.uint8)
    data = thumbnail_jpeg(picture, size=64)
    thumbnail = Image.open(io.BytesIO(data))
    assert thumbnail.format == "JPEG"
    assert thumbnail.size == expected
    assert np.abs(np.asarray(thumbnail).mean(axis=(0, 1)) - (200, 100, 50)).max() < 3
    assert data == thumbnail_jpeg(picture, size=64)


def test_contact_sheet_shows_each_picture_in_its_cell() -> None:
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)]
    pictures = [np.full((20 + 60 * n, 30, 3), color, np.uint8) for n, color in enumerate(colors)]
    sheet = np.asarray(Image.open(io.BytesIO(contact_sheet(pictures, columns=3, size=60))))
    assert sheet.shape == (2 * 64 + 4, 3 * 64 + 4, 3)
    for n, color in enumerate(colors):
        row, column = divmod(n, 3)
        center = sheet[4 + row * 64 + 30, 4 + column * 64 + 30].astype(int)
        assert np.abs(center - color).max() < 12


def test_an_empty_contact_sheet_is_still_a_picture() -> None:
    sheet = Image.open(io.BytesIO(contact_sheet([], columns=2, size=10)))
    assert sheet.size == (32, 18)


def test_real_bands_can_be_seen(real_data: Path) -> None:
    source = open_source(f"{real_data}/bands.tar.gz!bands")
    for path, data in source.read_many(e.path for e in source.list()):
        rgb = to_rgb8(decode(data, max_pixels=10**6))
        assert rgb.std() > 20, path
