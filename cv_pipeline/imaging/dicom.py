"""DICOM through pydicom: one frame at a time, its numbers, and what they mean.

The stored numbers are kept and the rescale slope and intercept are told beside them, so that CT is
in Hounsfield units without losing a bit. Pictures in which low numbers are bright (MONOCHROME1)
are turned round, as are TIFF files of that kind, so that every reader sees bone bright. Palettes
and YBR become RGB.
"""

from __future__ import annotations

import io
import logging
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cv_pipeline.imaging.header import Header
from cv_pipeline.imaging.meaning import Band, Meaning, Window, plain_meaning

MAGIC = b"DICM"
_AT = 128
_GREY = {"MONOCHROME1", "MONOCHROME2"}
_COLORS = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}
_PALETTE = "PALETTE COLOR"
_UNITS = {"HU": "HU", "US": "", "OD": "OD", "MGML": "mg/ml", "Z_EFF": "Z", "ED": "e/ml"}
_PET_UNITS = {"BQML": "Bq/ml", "CNTS": "counts", "GML": "SUV"}
_MOST_WINDOWS = 16
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_META_BYTES = 4096
_CHUNK = 1 << 20
_MOST_INFLATED = 1 << 30

logging.getLogger("pydicom").addHandler(logging.NullHandler())
logging.getLogger("pydicom").propagate = False


def is_dicom(data: bytes) -> bool:
    """Whether a file begins as DICOM files do: 128 bytes of anything, then ``DICM``."""
    return data[_AT : _AT + 4] == MAGIC


def read_header(data: bytes) -> Header:
    """Read size, depth and bands; no pixel is decoded.

    Raises:
        ValueError, and what else pydicom raises of damaged files.
    """
    with _opened(data) as file:
        bands = 3 if file.color else 1
        return Header("DICOM", file.columns, file.rows, bands, file.dtype.name)


def read_pixels(data: bytes, *, frame: int = 0) -> NDArray[Any]:
    """Decode a frame to (H, W, 1) stored numbers, or (H, W, 3) RGB.

    Raises:
        ValueError, and what else pydicom and decoders raise of damaged files.
    """
    with _opened(data) as file:
        return file.pixels(frame)


def read_meaning(data: bytes, *, frame: int = 0) -> Meaning:
    """What the numbers of a frame mean.

    Raises:
        ValueError, and what else pydicom raises of damaged files.
    """
    with _opened(data) as file:
        return file.meaning(frame)


@dataclass(frozen=True)
class _File:
    """An opened file, checked to hold a picture that is read."""

    dataset: Any
    rows: int
    columns: int
    frames: int
    photometric: str
    dtype: np.dtype[Any]

    @property
    def color(self) -> bool:
        return self.photometric not in _GREY

    def pixels(self, frame: int) -> NDArray[Any]:
        from pydicom.pixels import apply_color_lut, pixel_array

        self._require(frame)
        self._require_declared(frame)
        stored: NDArray[Any] = pixel_array(self.dataset, index=frame)
        if stored.shape[:2] != (self.rows, self.columns):
            raise ValueError(f"its pixels are {stored.shape}")
        if self.photometric == _PALETTE:
            stored = _eight_bits(apply_color_lut(stored, self.dataset))[..., :3]
        image = stored.reshape(self.rows, self.columns, -1)
        if self._bilevel:
            image = image * np.uint8(255)
        if self._turned(frame):
            image = self._turned_round(image)
        return np.ascontiguousarray(image.astype(self.dtype, copy=False))

    def meaning(self, frame: int) -> Meaning:
        self._require(frame)
        modality = str(self.dataset.get("Modality", ""))[:16]
        if self.color:
            return Meaning(plain_meaning(3).bands, modality=modality, frames=self.frames)
        slope, intercept = self._rescale(frame)
        padding = self._padding()
        if self._turned(frame):  # the value of each stored number stays what it was
            low, high = self._range()
            slope, intercept = -slope, slope * (low + high) + intercept
            padding = None if padding is None else low + high - padding
        if self._bilevel:
            slope /= 255
        band = Band("Grey", "grey", self._unit(modality), slope, intercept, padding)
        inverted = self.photometric == "MONOCHROME1"
        return Meaning((band,), self._windows(frame), modality, self.frames, inverted)

    @property
    def _bilevel(self) -> bool:
        return self.dataset.get("BitsAllocated") == 1 and not self.color

    def _turned(self, frame: int) -> bool:
        """Whether greater stored numbers are darker."""
        return not self.color and (self.photometric == "MONOCHROME1") != (
            self._rescale(frame)[0] < 0
        )

    def _turned_round(self, image: NDArray[Any]) -> NDArray[Any]:
        if image.dtype.kind == "f":
            return -image
        low, high = self._range()
        return (low + high - image.astype(np.int64)).clip(low, high)

    def _require_declared(self, frame: int) -> None:
        """See that a compressed frame is of the size that the file declares, before it is decoded.

        Raises:
            ValueError: it is not: its decoder would make room for what it says itself.
        """
        from pydicom.encaps import get_frame
        from pydicom.uid import RLELossless

        from cv_pipeline.imaging.dicom_codecs import check_declared

        syntax = self.dataset.file_meta.TransferSyntaxUID
        if not syntax.is_encapsulated:
            return
        source = get_frame(self.dataset.PixelData, frame, number_of_frames=self.frames)
        if syntax == RLELossless:
            cells = self.rows * self.columns * int(self.dataset.get("SamplesPerPixel") or 1)
            if len(source) > 2 * cells * int(self.dataset.BitsAllocated) // 8 + 4096:
                raise ValueError("a frame has more bytes than its pixels can need")
        else:
            check_declared(source, syntax, (self.rows, self.columns))

    def _range(self) -> tuple[int, int]:
        """Least and greatest number that the stored bits can hold; zeros for floating point."""
        if self.dtype.kind == "f":
            return 0, 0
        bits = int(self.dataset.get("BitsStored") or self.dataset.BitsAllocated)
        if self._bilevel:
            return 0, 255
        if self.dtype.kind == "i":
            return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        return 0, (1 << bits) - 1

    def _group(self, frame: int, sequence: str) -> Any:
        """A functional group: of the frame, or of all of them; else the file itself."""
        for groups in (
            self.dataset.get("PerFrameFunctionalGroupsSequence"),
            self.dataset.get("SharedFunctionalGroupsSequence"),
        ):
            if groups and len(groups) > 0:
                group = groups[min(frame, len(groups) - 1)].get(sequence)
                if group:
                    return group[0]
        return self.dataset

    def _rescale(self, frame: int) -> tuple[float, float]:
        group = self._group(frame, "PixelValueTransformationSequence")
        slope = _number(group.get("RescaleSlope"), 1.0) or 1.0
        return slope, _number(group.get("RescaleIntercept"), 0.0)

    def _unit(self, modality: str) -> str:
        told = str(self.dataset.get("RescaleType", "")).upper()
        if modality == "PT":
            return _PET_UNITS.get(str(self.dataset.get("Units", "")).upper(), "")
        if modality == "CT" and not told and "RescaleIntercept" in self.dataset:
            return "HU"
        return _UNITS.get(told, "")

    def _padding(self) -> float | None:
        value = self.dataset.get("PixelPaddingValue")
        return None if value is None or self.dtype.kind == "f" else _number(value, math.nan)

    def _windows(self, frame: int) -> tuple[Window, ...]:
        """The file's windows, as DICOM PS3.3, C.11.2.1.2 defines their ends."""
        group = self._group(frame, "FrameVOILUTSequence")
        centers, widths = _list(group.get("WindowCenter")), _list(group.get("WindowWidth"))
        names = _list(group.get("WindowCenterWidthExplanation"))
        exact = str(group.get("VOILUTFunction", "")).upper() == "LINEAR_EXACT"
        found = []
        for n, (c, w) in enumerate(zip(centers, widths, strict=False)):
            center, width = _number(c, math.nan), _number(w, math.nan)
            if not (math.isfinite(center) and width >= (1e-9 if exact else 1)):
                continue
            name = str(names[n])[:64] if n < len(names) else ""
            if exact:
                low, high = center - width / 2, center + width / 2
            else:
                low, high = center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2
            high = max(high, low + 1e-6)
            found.append(Window(name or f"Window {n + 1}", low, high))
        return tuple(found[:_MOST_WINDOWS])

    def _require(self, frame: int) -> None:
        if not 0 <= frame < self.frames:
            raise ValueError(f"it has {self.frames} frames and none of number {frame}")


@contextmanager
def _opened(data: bytes) -> Iterator[_File]:
    """The file, when it holds a picture that is read.

    Raises:
        ValueError: it does not.
    """
    import pydicom

    from cv_pipeline.imaging import dicom_codecs

    dicom_codecs.register()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that break a rule and do no harm
        try:
            _require_bounded(data)
            yield _checked(pydicom.dcmread(io.BytesIO(data)), len(data))
        except Exception as error:  # pydicom has errors of every class for what is damaged
            raise ValueError(str(error) or type(error).__name__) from error


def _require_bounded(data: bytes) -> None:
    """See that a file that is compressed as a whole does not grow without bound.

    Raises:
        ValueError: it does.
    """
    at = _AT + len(MAGIC)
    if _DEFLATED not in data[at : at + _META_BYTES]:
        return
    # the length of the group that is never compressed is its first element
    (length,) = struct.unpack_from("<I", data, at + 8)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    grown, rest = 0, data[at + 12 + length :]
    while rest and not inflater.eof:
        grown += len(inflater.decompress(rest, _CHUNK))
        rest = inflater.unconsumed_tail
        if grown > _MOST_INFLATED:
            raise ValueError(f"it inflates to more than {_MOST_INFLATED} bytes")


def _checked(dataset: Any, size: int) -> _File:
    photometric = str(dataset.get("PhotometricInterpretation", "")).strip().upper()
    if not any(k in dataset for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise ValueError("it holds no picture")
    if photometric not in {*_GREY, *_COLORS, _PALETTE}:
        raise ValueError(f"colours of kind {photometric!r} are not read")
    samples = int(dataset.get("SamplesPerPixel") or 1)
    if samples != (3 if photometric in _COLORS else 1):
        raise ValueError(f"{samples} samples of kind {photometric} are not read")
    if "ModalityLUTSequence" in dataset:
        raise ValueError("tables in place of a rescale slope are not read")
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    frames = max(1, int(dataset.get("NumberOfFrames") or 1))
    dtype = _dtype(dataset, photometric)
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_compressed:
        bits = int(dataset.get("BitsAllocated") or 8 * dtype.itemsize)
        per_pixel = 2 if photometric == "YBR_FULL_422" else samples
        needed = rows * columns * frames * per_pixel * bits // 8
        pixels = next(
            len(dataset[k].value)
            for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
            if k in dataset
        )
        if pixels < needed:
            raise ValueError(f"it is cut off: {pixels} bytes of pixels where {needed} are declared")
    elif not syntax.is_deflated and frames > size:
        raise ValueError(f"it declares {frames} frames")
    return _File(dataset, rows, columns, frames, photometric, dtype)


def _dtype(dataset: Any, photometric: str) -> np.dtype[Any]:
    """Type of the decoded numbers: the smallest that the stored cells fit in."""
    if "FloatPixelData" in dataset:
        return np.dtype(np.float32)
    if "DoubleFloatPixelData" in dataset:
        return np.dtype(np.float64)
    bits = int(dataset.BitsAllocated)
    stored = int(dataset.get("BitsStored") or bits)
    if bits not in (1, 8, 16, 32) or not 1 <= stored <= bits:
        raise ValueError(f"{stored} bits in cells of {bits} are not read")
    if photometric == _PALETTE:
        return np.dtype(np.uint8)
    signed = int(dataset.get("PixelRepresentation") or 0) == 1 and photometric in _GREY
    return np.dtype(f"{'int' if signed else 'uint'}{max(8, bits)}")


def _eight_bits(colors: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours of a palette, whose entries have 8 or 16 bits."""
    if colors.dtype.itemsize > 1:
        shift = 8 if colors.max(initial=0) > 255 else 0
        colors = colors >> shift
    return colors.astype(np.uint8)


def _list(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]


def _number(value: Any, otherwise: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return otherwise
    return number if math.isfinite(number) else otherwise
