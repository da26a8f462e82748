from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from cv_pipeline.errors import ImageError
from cv_pipeline.imaging import decode, inspect
from cv_pipeline.samples.fruit.files import BROKEN, SUFFIXES, UNUSUAL_FORMS, broken, encode

MAX_PIXELS = 1_000_000


def read(data: bytes) -> np.ndarray:
    inspect(data, max_pixels=MAX_PIXELS, max_bytes=10**6)
    return decode(data, max_pixels=MAX_PIXELS)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).random((96, 128, 3), dtype=np.float32)


@pytest.mark.parametrize("form", ["png", "png_named_jpg", "tif"])
def test_eight_bits_survive(pixels: np.ndarray, form: str) -> None:
    expected = np.rint(pixels * 255).astype(np.uint8)
    read = Image.open(io.BytesIO(encode(pixels, form)))
    assert read.format == ("TIFF" if form == "tif" else "PNG")
    np.testing.assert_array_equal(np.asarray(read), expected)


@pytest.mark.parametrize("form", ["png16", "tif16"])
def test_sixteen_bits_survive(pixels: np.ndarray, form: str) -> None:
    read = decode(encode(pixels, form), max_pixels=MAX_PIXELS)
    np.testing.assert_array_equal(read, np.rint(pixels * 65535).astype(np.uint16))


def test_a_fourth_band_survives_and_is_no_transparency(pixels: np.ndarray) -> None:
    data = encode(pixels, "tif4")
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page = tiff.pages[0]
        assert page.extrasamples == (tifffile.EXTRASAMPLE.UNSPECIFIED,)
        read = page.asarray()
    red, green, _, infrared = np.moveaxis(read.astype(int), 2, 0)
    np.testing.assert_array_equal(infrared, (red + green) // 2)
    np.testing.assert_array_equal(decode(data, max_pixels=MAX_PIXELS), read)


def test_jpeg_keeps_the_colour_resolution(pixels: np.ndarray) -> None:
    read = Image.open(io.BytesIO(encode(pixels, "jpg")))
    assert (read.format, read.size) == ("JPEG", (128, 96))
    assert read.layer == [(1, 1, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1)]  # not subsampled


def test_a_large_png_needs_several_stored_blocks() -> None:
    pixels = np.linspace(0, 1, 200 * 300 * 3, dtype=np.float32).reshape(200, 300, 3)
    read = np.asarray(Image.open(io.BytesIO(encode(pixels, "png"))))
    np.testing.assert_array_equal(read, np.rint(pixels * 255).astype(np.uint8))


@pytest.mark.parametrize("form", SUFFIXES)
def test_every_form_is_an_image(pixels: np.ndarray, form: str) -> None:
    info = inspect(encode(pixels, form), max_pixels=MAX_PIXELS, max_bytes=10**6)
    assert (info.bands, info.dtype) == UNUSUAL_FORMS.get(form, (3, "uint8"))


@pytest.mark.parametrize("kind", BROKEN)
def test_every_broken_file_is_refused_with_its_reason(pixels: np.ndarray, kind: str) -> None:
    with pytest.raises(ImageError, match=r"\w") as error:
        read(broken(kind, pixels))
    assert error.value.reason == BROKEN[kind][1]


def test_the_bomb_is_small() -> None:
    assert len(broken("bomb", np.zeros((96, 128, 3), np.float32))) < 200
