"""Temperatures of radiometric JPEGs of FLIR cameras.

The camera keeps the numbers of its sensor beside the picture, in APP1 segments that together are a
file of records. Where they are is as ExifTool documents it; what a number means follows from
Planck's law with the constants that the camera wrote there.
"""

from __future__ import annotations

import contextlib
import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from cv_pipeline.errors import ImageError

_APP1, _START_OF_SCAN = 0xE1, 0xDA
_SIGNATURE, _FILE = b"FLIR\0", b"FFF\0"
_RAW_DATA, _CAMERA = 0x01, 0x20
_MOST_RECORDS = 256
_ZERO_CELSIUS = 273.15


@dataclass(frozen=True)
class Thermogram:
    """What a thermal camera kept of a scene.

    Attributes:
        raw: (H, W) numbers of the sensor.
        camera: constants of the camera and of the scene.
    """

    raw: NDArray[np.uint16]
    camera: Camera

    def celsius(self) -> NDArray[np.float32]:
        """(H, W) temperatures of the scene, °C; NaN where the numbers mean none."""
        return self.camera.celsius(self.raw)


@dataclass(frozen=True)
class Camera:
    """Constants of a camera and of the scene, as the camera wrote them; temperatures in kelvin."""

    emissivity: float
    distance: float
    reflected: float
    atmosphere: float
    window: float
    window_transmission: float
    humidity: float
    r1: float
    b: float
    f: float
    alpha: tuple[float, float]
    beta: tuple[float, float]
    x: float
    o: int
    r2: float

    def celsius(self, raw: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Temperatures of what the camera looked at.

        The camera's signal of a black body at temperature T (kelvin) is
        S(T) = R1 / (R2 (exp(B / T) − F)) − O. What arrives is the object's own signal and what it
        reflects, through the air and through a window, each of which adds its own; taking these
        away and solving for T gives T = B / ln(R1 / (R2 (S + O)) + F). The air lets through
        τ = X exp(−√(d/2) (α₁ + β₁√h)) + (1 − X) exp(−√(d/2) (α₂ + β₂√h)), of the distance d and
        the water in the air h = H exp(1.5587 + 0.06939 t − 2.7816e-4 t² + 6.8455e-7 t³), at the
        humidity H and the air's temperature t in °C. (Minkina and Dudzik, *Infrared Thermography:
        Errors and Uncertainties*, 2009, chapter 2 and appendix A; half the distance before and half
        behind the window, as by Tattersall, *Thermimage*, 2019, doi:10.5281/zenodo.1069704.)
        """
        t = self.atmosphere - _ZERO_CELSIUS
        water = self.humidity * math.exp(
            1.5587 + 6.939e-2 * t - 2.7816e-4 * t**2 + 6.8455e-7 * t**3
        )
        root, half = math.sqrt(max(water, 0.0)), math.sqrt(max(self.distance, 0.0) / 2)
        tau = sum(
            share * math.exp(-half * (self.alpha[n] + self.beta[n] * root))
            for n, share in enumerate((self.x, 1 - self.x))
        )
        air, window = self._signal(self.atmosphere), self._signal(self.window)
        reflected = self._signal(self.reflected)
        let = self.window_transmission
        disturbance = (
            (1 - self.emissivity) / self.emissivity * reflected
            + (1 - tau) / self.emissivity / tau * air
            + (1 - let) / self.emissivity / tau / let * window
            + (1 - tau) / self.emissivity / tau / let / tau * air
        )
        own = raw.astype(np.float64) / (self.emissivity * tau * let * tau) - disturbance
        with np.errstate(all="ignore"):  # signals that no temperature gives
            kelvin = self.b / np.log(self.r1 / (self.r2 * (own + self.o)) + self.f)
            celsius = (kelvin - _ZERO_CELSIUS).astype(np.float32)
        return np.where(np.isfinite(celsius) & (celsius > -_ZERO_CELSIUS), celsius, np.nan)

    def _signal(self, kelvin: float) -> float:
        return self.r1 / (self.r2 * (math.exp(self.b / kelvin) - self.f)) - self.o


def is_radiometric(data: bytes) -> bool:
    """Whether a JPEG has records of a FLIR camera."""
    return next(_segments(data), None) is not None


def read_thermogram(data: bytes, *, max_pixels: int) -> Thermogram | None:
    """What the camera kept of the scene, or None when the JPEG has none, or none that can be read.

    Args:
        data: the JPEG file.
        max_pixels: largest allowed width × height.

    Raises:
        ImageError: ``too_many_pixels``.
    """
    records = b"".join(_segments(data))
    if not records.startswith(_FILE):
        return None
    # damage of what is beside the picture leaves the picture
    with contextlib.suppress(
        struct.error, ValueError, LookupError, ArithmeticError, RuntimeError, TypeError
    ):
        found = dict(_records(records))
        camera = _camera(found[_CAMERA])
        return Thermogram(_raw(found[_RAW_DATA], max_pixels), camera)
    return None


def _segments(data: bytes) -> Iterator[bytes]:
    """Yield the pieces of the records, in the order of the file."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _START_OF_SCAN:
        (length,) = struct.unpack_from(">H", data, at + 2)
        if data[at + 1] == _APP1 and data.startswith(_SIGNATURE, at + 4):
            yield data[at + 12 : at + 2 + length]
        at += 2 + max(length, 2)


def _records(records: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of each record."""
    order = "<" if 100 <= struct.unpack_from("<I", records, 0x14)[0] < 200 else ">"
    start, count = struct.unpack_from(f"{order}II", records, 0x18)
    for n in range(min(count, _MOST_RECORDS)):
        (kind,) = struct.unpack_from(f"{order}H", records, start + 32 * n)
        at, length = struct.unpack_from(f"{order}II", records, start + 32 * n + 12)
        if kind:
            yield kind, records[at : at + length]


def _order(record: bytes, expected: int) -> str:
    return "<" if struct.unpack_from("<H", record)[0] == expected else ">"


def _camera(record: bytes) -> Camera:
    order = _order(record, 2)

    def number(at: int) -> float:
        found: float = struct.unpack_from(f"{order}f", record, at)[0]
        if not math.isfinite(found):
            raise ValueError("a constant of the camera is no number")
        return found

    humidity = number(0x3C)
    camera = Camera(
        emissivity=number(0x20),
        distance=number(0x24),
        reflected=number(0x28),
        atmosphere=number(0x2C),
        window=number(0x30),
        window_transmission=number(0x34),
        humidity=humidity / 100 if humidity > 2 else humidity,
        r1=number(0x58),
        b=number(0x5C),
        f=number(0x60),
        alpha=(number(0x70), number(0x74)),
        beta=(number(0x78), number(0x7C)),
        x=number(0x80),
        o=struct.unpack_from(f"{order}i", record, 0x308)[0],
        r2=number(0x30C),
    )
    positive = (camera.emissivity, camera.window_transmission, camera.r1, camera.r2, camera.b)
    if min(*positive, camera.reflected, camera.atmosphere, camera.window) <= 0:
        raise ValueError("a constant of the camera is not positive")
    camera.celsius(np.zeros((1, 1), np.uint16))  # so that overflow shows here
    return camera


def _raw(record: bytes, max_pixels: int) -> NDArray[np.uint16]:
    order = _order(record, 2)
    width, height = struct.unpack_from(f"{order}HH", record, 2)
    if width * height > max_pixels:
        raise ImageError(
            f"The thermal picture declares {width} × {height} pixels; at most {max_pixels} are"
            " allowed.",
            reason="too_many_pixels",
            do="Raise source.max_pixels if it is meant to be this large.",
        )
    content = record[0x20:]
    raw: NDArray[np.uint16]
    if content.startswith(b"\x89PNG"):
        declared = struct.unpack_from(">IIB", content, 16)
        if declared != (width, height, 16):
            raise ValueError("the thermal picture is not what it declares")
        raw = imagecodecs.png_decode(content).byteswap()  # cameras write it the wrong way round
    elif content[:4] in (b"II*\0", b"MM\0*"):
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            if file.pages.first.shape != (height, width):
                raise ValueError("the thermal picture is not what it declares")
            raw = file.pages.first.asarray(maxworkers=1)
    else:
        raw = np.frombuffer(content, f"{order}u2", width * height).reshape(height, width)
    if raw.shape != (height, width) or raw.dtype.kind != "u" or not raw.size:
        raise ValueError("the thermal picture is not what it declares")
    return np.ascontiguousarray(raw, dtype=np.uint16)
