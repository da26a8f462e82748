"""Parts of pictures at any level: the same numbers however they are read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from cv_pipeline.errors import ImageError
from cv_pipeline.imaging import opened
from cv_pipeline.imaging.halving import halved
from cv_pipeline.imaging.opened import Overview, open_picture
from cv_pipeline.imaging.pyramid import TILE, Box, level_size, levels_of, tile_box
from cv_pipeline.storage import open_source
from tests.imaging.dicom_files import dicom_file

LIMIT = 10_000_000


def tiff(image: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, image, metadata=None, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def smooth(height: int, width: int, bands: int = 1, dtype: str = "uint16") -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    planes = [(np.sin(x / (40 + n)) + np.cos(y / 31) + 2) * 16_000 for n in range(bands)]
    return np.stack(planes, axis=2).astype(dtype)


@pytest.mark.parametrize(
    ("width", "height", "levels"),
    [(1, 1, 1), (TILE, TILE, 1), (TILE + 1, 3, 2), (2 * TILE, 9, 2), (4097, 9, 5)],
)
def test_the_last_level_fits_in_one_tile(width: int, height: int, levels: int) -> None:
    assert levels_of(width, height) == levels
    assert max(level_size(width, height, levels - 1)) <= TILE


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_tiles_of_a_level_cover_it_once(width: int, height: int) -> None:
    for level in range(levels_of(width, height)):
        across, down = level_size(width, height, level)
        columns, rows = -(-across // TILE), -(-down // TILE)
        boxes = [tile_box(width, height, level, x, y) for y in range(rows) for x in range(columns)]
        areas = [(b.bottom - b.top) * (b.right - b.left) for b in boxes if b is not None]
        assert len(areas) == columns * rows
        assert sum(areas) == across * down
        assert tile_box(width, height, level, columns, 0) is None
        assert tile_box(width, height, level, 0, rows) is None
    assert tile_box(width, height, levels_of(width, height), 0, 0) is None


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (256, 256), "compression": "zlib"},
        {"tile": (128, 256)},
        {"rowsperstrip": 7},
        {"rowsperstrip": 16, "compression": "lzw", "predictor": 2},
        {"tile": (64, 64), "planarconfig": "separate"},
        {"rowsperstrip": 5, "byteorder": ">"},
    ],
    ids=str,
)
@pytest.mark.parametrize("bands", [1, 4])
def test_a_tiff_in_parts_is_the_same_as_the_whole(
    options: dict, bands: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = smooth(1333, 1111, bands)
    stored = image[..., 0] if bands == 1 else image
    options = dict(options)
    if bands == 1:
        options.pop("planarconfig", None)
    elif options.get("planarconfig") == "separate":
        stored = np.moveaxis(image, 2, 0)
    else:
        options["planarconfig"] = "contig"
    data = tiff(stored, photometric="minisblack", **options)
    whole = open_picture(data, max_pixels=LIMIT)
    assert isinstance(whole, opened.Whole)
    monkeypatch.setattr(opened, "_KEPT_WHOLE", 1000)
    monkeypatch.setattr(opened, "_SMALL_COPY", 200_000)
    parts = open_picture(data, max_pixels=LIMIT)
    assert not isinstance(parts, opened.Whole)
    assert (parts.info, parts.meaning) == (whole.info, whole.meaning)
    numbers = range(bands)
    for level in range(levels_of(1111, 1333)):
        for a, b in zip(
            whole.read(numbers, level, None), parts.read(numbers, level, None), strict=True
        ):
            assert np.array_equal(a, b)
    for box in (Box(0, 0, 1, 1), Box(700, 300, 1333, 1111), Box(255, 255, 257, 513)):
        found = np.dstack(parts.read(numbers, 0, box))
        assert np.array_equal(found, image[box.top : box.bottom, box.left : box.right])


def test_a_tiff_that_is_turned_or_damaged_is_not_read_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opened, "_KEPT_WHOLE", 1000)
    image = smooth(300, 200)[..., 0]
    data = tiff(image, rowsperstrip=8, photometric="minisblack", extratags=[(274, 3, 1, 6, True)])
    picture = open_picture(data, max_pixels=LIMIT)
    assert (picture.info.width, picture.info.height) == (300, 200)
    assert np.array_equal(picture.read([0], 0, None)[0], np.rot90(image, -1))
    cut = tiff(image, rowsperstrip=8, photometric="minisblack")[:-50_000]
    with pytest.raises(ImageError, match="cut off"):
        open_picture(cut, max_pixels=LIMIT)


def test_a_large_jpeg_is_looked_at_by_a_small_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "_LARGE_JPEG", 1000)
    image = (smooth(1203, 1601, 3) >> 8).astype(np.uint8)
    picture = open_picture(simplejpeg.encode_jpeg(image, 95), max_pixels=LIMIT)
    for level in range(levels_of(1601, 1203)):
        across, down = level_size(1601, 1203, level)
        assert picture.read([0], level, None)[0].shape == (down, across)
    overview = Overview(picture, side=256)
    assert len(overview) == 3
    small, sampled = overview[0][:150, :200].astype(int), image[4::8, 4::8, 0]
    assert np.abs(small - sampled).mean() < 6
    part = picture.read([1], 0, Box(10, 20, 30, 50))[0]
    assert np.abs(part.astype(int) - image[10:30, 20:50, 1]).max() < 12


def test_a_large_jpeg_of_inks_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "_LARGE_JPEG", 1000)
    decoded: list[int] = []
    decode_scaled = opened.decode_scaled_jpeg

    def counted(data: bytes, **how: int) -> np.ndarray:
        decoded.append(how["side"])
        return decode_scaled(data, **how)

    monkeypatch.setattr(opened, "decode_scaled_jpeg", counted)
    file = io.BytesIO()
    Image.new("CMYK", (1601, 1203), (10, 200, 30, 0)).save(file, "JPEG")
    picture = open_picture(file.getvalue(), max_pixels=LIMIT)
    for level in reversed(range(levels_of(1601, 1203))):
        across, down = level_size(1601, 1203, level)
        assert picture.read([0], level, None)[0].shape == (down, across)
    assert len(decoded) == 1  # inks are always decoded whole


def test_a_frame_of_dicom_is_opened() -> None:
    stored = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    picture = open_picture(dicom_file(stored), max_pixels=LIMIT, frame=2)
    assert picture.meaning.frames == 3
    assert np.array_equal(picture.read([0], 0, None)[0], stored[2])


def test_a_picture_that_is_too_large_is_not_opened() -> None:
    with pytest.raises(ImageError) as caught:
        open_picture(tiff(smooth(100, 100)[..., 0]), max_pixels=9999)
    assert caught.value.reason == "too_many_pixels"


# ------------------------------------------------------------------------------- halving


@given(
    st.sampled_from([np.uint8, np.int16, np.uint16, np.float32, np.int64, np.bool_]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))
    ),
    st.none() | st.just(0.0),
)
@settings(max_examples=100)
def test_a_half_has_the_type_and_lies_within_what_it_is_of(
    plane: np.ndarray, nodata: float | None
) -> None:
    half = halved(plane, nodata=nodata)
    assert half.shape == tuple(-(-side // 2) for side in plane.shape)
    assert half.dtype == plane.dtype
    for y, x in np.ndindex(half.shape):
        of = plane[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(float)
        if np.isfinite(of).all():
            slack = 1e-6 * (1 + np.abs(of).max())
            assert of.min() - slack <= float(half[y, x]) <= of.max() + slack


def test_means_are_rounded_and_no_number_is_left_out_of_them() -> None:
    assert halved(np.array([[1, 2], [2, 2]], np.uint8)).tolist() == [[2]]
    plane = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]], np.float32)
    assert halved(plane)[0, 0] == 2.0
    assert np.isnan(halved(plane)[1, 0])
    assert halved(np.array([[7, -9999]], np.int16), nodata=-9999).tolist() == [[7]]


# ------------------------------------------------------------------ bands and what they mean


def test_pages_of_one_band_each_are_the_bands_of_one_picture() -> None:
    planes = [smooth(20, 30)[..., 0] + n for n in range(3)]
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for name, plane in zip(("B4", "B5", "B10"), planes, strict=True):
            writer.write(plane, metadata=None, extratags=[(285, 2, 0, name, True)])
    picture = open_picture(buffer.getvalue(), max_pixels=LIMIT, name="LC08_L1TP_stack.tif")
    assert [b.kind for b in picture.meaning.bands] == ["red", "nir", "thermal"]
    assert all(
        np.array_equal(p, q) for p, q in zip(picture.read(range(3), 0, None), planes, strict=True)
    )


def test_pages_that_are_a_film_or_an_overview_are_not_bands() -> None:
    film = tiff(np.zeros((40, 8, 9), np.uint8), photometric="minisblack")
    assert open_picture(film, max_pixels=LIMIT).info.bands == 1
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(np.zeros((8, 9), np.uint8), metadata=None)
        writer.write(np.ones((8, 9), np.uint8), subfiletype=1, metadata=None)
    assert open_picture(buffer.getvalue(), max_pixels=LIMIT).info.bands == 1


def test_the_samples_are_what_their_readme_says(real_data: Path) -> None:
    source = open_source(f"{real_data / 'bands.tar.gz'}!bands")
    files = dict(source.read_many(entry.path for entry in source.list()))
    pictures = {
        path: open_picture(data, max_pixels=LIMIT, name=path.rpartition("/")[2])
        for path, data in files.items()
        if path.endswith((".tif", ".tiff"))
    }
    kinds = {
        p.meaning.bands[0].name: p.meaning.bands[0].kind
        for path, p in pictures.items()
        if "landsat" in path
    }
    assert len(kinds) == 10
    assert kinds["B5 Near infrared"] == "nir"
    assert kinds["B10 Thermal"] == kinds["B11 Thermal"] == "thermal"
    (naip,) = [p for path, p in pictures.items() if "naip" in path]
    assert [b.kind for b in naip.meaning.bands] == ["red", "green", "blue", "nir"]
    (thermal,) = [p for path, p in pictures.items() if "thermal/" in path]
    band = thermal.meaning.bands[0]
    celsius = thermal.read([0], 0, None)[0] * band.scale + band.offset
    assert band.unit == "°C"
    assert -5 < celsius.min() < celsius.max() < 12  # an October day in England
