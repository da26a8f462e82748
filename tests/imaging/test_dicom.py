"""DICOM: what is read of it, what it means, and what a damaged or hostile file may not do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydicom import uid
from pydicom.data import get_testdata_file

from cv_pipeline.errors import ImageError
from cv_pipeline.imaging import ImageInfo, decode, inspect
from cv_pipeline.imaging.read import explain
from tests.imaging.dicom_files import NATIVE, dicom_file

LIMIT = 1_000_000
REASONS = {"empty_file", "not_an_image", "too_many_pixels", "corrupt_image"}
CT = (np.arange(12 * 10).reshape(12, 10) * 16 - 900).astype(np.int16)


def read(data: bytes, *, frame: int = 0) -> np.ndarray:
    """Decode, and hold the header to it."""
    info = inspect(data, max_pixels=LIMIT, max_bytes=LIMIT)
    image = decode(data, max_pixels=LIMIT, frame=frame)
    assert info.format == "DICOM"
    assert image.shape == (info.height, info.width, info.bands)
    assert image.dtype.name == info.dtype
    assert image.flags.c_contiguous
    return image


def sample(name: str) -> bytes:
    """A file that comes with pydicom."""
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"this pydicom has no {name}")
    return Path(path).read_bytes()


def values(data: bytes, *, frame: int = 0) -> np.ndarray:
    """What the pixels mean, in their own unit."""
    band = explain(data, max_pixels=LIMIT, frame=frame).bands[0]
    return read(data, frame=frame)[..., 0] * band.scale + band.offset


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda s: s.name)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int8", "uint32", "int32"])
def test_every_stored_number_comes_out(syntax: uid.UID, dtype: str) -> None:
    info = np.iinfo(dtype)
    stored = np.random.default_rng(0).integers(info.min, info.max, (7, 9), dtype, endpoint=True)
    assert np.array_equal(read(dicom_file(stored, syntax=syntax))[..., 0], stored)


def test_slope_and_intercept_are_told_and_the_stored_numbers_kept() -> None:
    data = dicom_file(CT, RescaleSlope="2", RescaleIntercept="-1024", RescaleType="HU")
    band = explain(data, max_pixels=LIMIT).bands[0]
    assert (band.unit, band.scale, band.offset) == ("HU", 2.0, -1024.0)
    assert np.array_equal(read(data)[..., 0], CT)
    assert np.array_equal(values(data), CT * 2.0 - 1024)


@pytest.mark.parametrize("slope", [1.0, -0.5])
def test_low_numbers_that_are_bright_are_turned_round_and_mean_what_they_meant(
    slope: float,
) -> None:
    stored = np.arange(20, dtype=np.uint16).reshape(4, 5)
    data = dicom_file(
        stored,
        photometric="MONOCHROME1",
        bits_stored=12,
        RescaleSlope=slope,
        RescaleIntercept=3,
        Modality="CR",
    )
    image = read(data)[..., 0]
    if slope > 0:  # a falling slope turns it once more
        assert np.array_equal(image, 4095 - stored)
    assert np.allclose(values(data), stored * slope + 3)
    assert explain(data, max_pixels=LIMIT).inverted


def test_windows_end_where_the_standard_says() -> None:
    # PS3.3 C.11.2.1.2.1: c - 0.5 - (w - 1) / 2; LINEAR_EXACT (C.11.2.1.3.2): c - w / 2
    data = dicom_file(
        CT,
        WindowCenter=["40", "-600"],
        WindowWidth=["80", "1500"],
        WindowCenterWidthExplanation=["BRAIN", "LUNG"],
    )
    found = explain(data, max_pixels=LIMIT).windows
    assert [(w.name, w.low, w.high) for w in found] == [
        ("BRAIN", 0.0, 79.0),
        ("LUNG", -1350.0, 149.0),
    ]
    exact = dicom_file(CT, WindowCenter=40, WindowWidth=80, VOILUTFunction="LINEAR_EXACT")
    (window,) = explain(exact, max_pixels=LIMIT).windows
    assert (window.low, window.high) == (0.0, 80.0)


@pytest.mark.parametrize("width", ["0", "-5", "0.5"])
def test_a_window_without_width_is_left_out(width: str) -> None:
    data = dicom_file(CT, WindowCenter="40", WindowWidth=width)
    assert explain(data, max_pixels=LIMIT).windows == ()


def test_a_frame_is_chosen() -> None:
    stored = np.random.default_rng(0).integers(0, 4096, (3, 6, 5), dtype=np.uint16)
    data = dicom_file(stored, bits_stored=12)
    assert explain(data, max_pixels=LIMIT).frames == 3
    for frame in range(3):
        assert np.array_equal(read(data, frame=frame)[..., 0], stored[frame])
    with pytest.raises(ImageError, match="3 frames and none of number 3"):
        decode(data, max_pixels=LIMIT, frame=3)


def test_colours_are_read_as_rgb() -> None:
    stored = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    assert np.array_equal(read(dicom_file(stored, photometric="RGB")), stored)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (uid.JPEGLSLossless, imagecodecs.jpegls_encode),
        (uid.JPEG2000Lossless, lambda x: imagecodecs.jpeg2k_encode(x, level=0, codecformat="j2k")),
        (uid.JPEGLosslessSV1, lambda x: imagecodecs.ljpeg_encode(x, bitspersample=16)),
    ],
    ids=["JPEG-LS", "JPEG 2000", "lossless JPEG"],
)
def test_compressed_pixels_come_out_as_they_went_in(syntax: uid.UID, encode) -> None:
    stored = np.random.default_rng(0).integers(0, 65_536, (16, 24), dtype=np.uint16)
    data = dicom_file(stored, syntax=syntax, frames=[encode(stored)])
    assert np.array_equal(read(data)[..., 0], stored)


@pytest.mark.parametrize(
    ("name", "bands", "dtype"),
    [
        ("CT_small.dcm", 1, "int16"),
        ("MR_small_RLE.dcm", 1, "int16"),
        ("MR_small_bigendian.dcm", 1, "int16"),
        ("MR_small_jpeg_ls_lossless.dcm", 1, "int16"),
        ("JPGExtended.dcm", 1, "uint16"),
        ("SC_rgb_jpeg_dcmtk.dcm", 3, "uint8"),
        ("SC_ybr_full_422_uncompressed.dcm", 3, "uint8"),
        ("examples_palette.dcm", 3, "uint8"),
        ("image_dfl.dcm", 1, "uint8"),
        ("liver_1frame.dcm", 1, "uint8"),
    ],
)
def test_files_of_other_programs(name: str, bands: int, dtype: str) -> None:
    image = read(sample(name))
    assert image.shape[2] == bands
    assert image.dtype == dtype
    assert image.min() < image.max()


def test_all_ways_to_store_the_same_scan_are_the_same() -> None:
    names = ("MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm")
    images = [read(sample(name)) for name in names]
    assert all(np.array_equal(images[0], image) for image in images[1:])


def test_a_file_that_looks_like_a_tiff_before_its_mark_is_dicom() -> None:
    data = dicom_file(CT, preamble=b"II*\0".ljust(128, b"\0"))
    assert np.array_equal(read(data)[..., 0], CT)


# --------------------------------------------------------------- what is refused, and how


def refused(data: bytes, match: str, *, limit: int = LIMIT) -> None:
    with pytest.raises(ImageError, match=match) as caught:
        decode(data, max_pixels=limit)
    assert caught.value.reason in REASONS


def test_pixels_that_are_cut_off_are_refused() -> None:
    refused(dicom_file(CT)[:-40], "cut off|damaged")


def test_a_picture_that_is_too_large_is_refused_by_its_header() -> None:
    with pytest.raises(ImageError) as caught:
        inspect(dicom_file(CT), max_pixels=100, max_bytes=LIMIT)
    assert caught.value.reason == "too_many_pixels"


def test_more_pixels_than_there_are_bytes_are_refused() -> None:
    refused(dicom_file(CT, Rows=60_000, Columns=16), "cut off: 240 bytes")


def test_a_frame_of_another_size_than_declared_is_not_decoded() -> None:
    large = imagecodecs.jpegls_encode(np.zeros((600, 600), np.uint16))
    refused(
        dicom_file(np.zeros((16, 24), np.uint16), syntax=uid.JPEGLSLossless, frames=[large]),
        r"a frame of \(16, 24\) is declared and one of \(600, 600\) is there",
    )


def test_a_table_of_values_in_place_of_a_slope_is_refused() -> None:
    from pydicom.dataset import Dataset

    table = Dataset()
    table.LUTDescriptor, table.LUTData = [2, 0, 16], b"\0\0\1\0"
    table.ModalityLUTType = "US"
    data = dicom_file(CT.view(np.uint16), ModalityLUTSequence=[table])
    refused(data, "tables in place of a rescale slope are not read")


def test_a_file_without_a_picture_is_refused() -> None:
    refused(sample("rtplan.dcm"), "it holds no picture")


def test_what_inflates_without_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from cv_pipeline.imaging import dicom

    monkeypatch.setattr(dicom, "_MOST_INFLATED", 100_000)
    refused(sample("image_dfl.dcm"), "inflates to more than 100000 bytes")


def outcome(attempt: Callable[[], object]) -> str:
    """The reason why something is refused; empty when it is not."""
    try:
        attempt()
    except ImageError as error:
        return error.reason
    return ""


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damage_anywhere_is_refused_or_read_and_never_anything_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["native", "jpegls", "frames"]))
    if kind == "native":
        whole = dicom_file(CT, WindowCenter="40", WindowWidth="80", RescaleSlope="1")
    elif kind == "jpegls":
        stored = np.arange(384, dtype=np.uint16).reshape(16, 24)
        frames = [imagecodecs.jpegls_encode(stored)]
        whole = dicom_file(stored, syntax=uid.JPEGLSLossless, frames=frames)
    else:
        whole = dicom_file(np.zeros((3, 4, 5), np.uint8), photometric="MONOCHROME1")
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(132, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    for attempt in (
        lambda: inspect(cut, max_pixels=LIMIT, max_bytes=LIMIT),
        lambda: decode(cut, max_pixels=LIMIT),
        lambda: explain(cut, max_pixels=LIMIT),
    ):
        assert outcome(attempt) in {"", *REASONS}


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(st.sampled_from([np.uint8, np.int16, np.uint16]), (3, 4)),
    st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
    st.floats(-100, 100).filter(lambda v: abs(v) > 1e-3),
    st.floats(-5000, 5000),
)
def test_values_are_slope_times_stored_and_intercept(
    stored: np.ndarray, photometric: str, slope: float, intercept: float
) -> None:
    slope, intercept = float(f"{slope:.6g}"), float(f"{intercept:.6g}")
    data = dicom_file(
        stored, photometric=photometric, RescaleSlope=slope, RescaleIntercept=intercept
    )
    expected = stored.astype(float) * slope + intercept
    assert np.allclose(values(data), expected, rtol=1e-9, atol=1e-6 * max(1, abs(slope)))
    assert isinstance(inspect(data, max_pixels=LIMIT, max_bytes=LIMIT), ImageInfo)
