from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cv_pipeline.catalog.ingest.exif import capture_time


def shot(format: str = "JPEG", **tags: str) -> bytes:  # noqa: A002
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    directory = exif.get_ifd(0x8769)
    directory[0x829A] = (1, 100)
    for tag, value in tags.items():
        directory[{"original": 0x9003, "offset": 0x9011, "digitized": 0x9004}[tag]] = value
    if format == "TIFF":  # an EXIF block is one, after its marker
        return exif.tobytes().removeprefix(b"Exif\0\0")
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, format, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"original": "2025:11:03 08:30:00"}, datetime(2025, 11, 3, 8, 30, tzinfo=UTC)),
        (
            {"original": "2025:11:03 08:30:00", "offset": "+05:30"},
            datetime(2025, 11, 3, 3, 0, tzinfo=UTC),
        ),
        ({"digitized": "2025:11:03 08:30:00"}, None),  # a scanner's time is no capture time
        ({"original": "0000:00:00 00:00:00"}, None),  # a camera without a clock
        ({"original": "    :  :     :  :  "}, None),  # unknown, in the standard's own way
        ({}, None),
    ],
)
def test_capture_time(format: str, tags: dict[str, str], expected: datetime | None) -> None:  # noqa: A002
    assert capture_time(shot(format, **tags)) == expected


@pytest.mark.parametrize("data", [b"", b"Exif\0\0", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", b"text"])
def test_damage_means_that_there_is_none(data: bytes) -> None:
    assert capture_time(data) is None


@given(at=st.integers(0, 300), byte=st.integers(0, 255), end=st.integers(0, 400))
def test_no_damage_is_an_error(at: int, byte: int, end: int) -> None:
    data = bytearray(shot(original="2025:11:03 08:30:00", offset="+01:00"))
    data[at] = byte
    capture_time(bytes(data[:end]))
    capture_time(bytes(data))
