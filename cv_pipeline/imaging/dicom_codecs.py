"""Decoders of compressed DICOM pixels through imagecodecs, for pydicom.

pydicom brings none for JPEG-LS, lossless JPEG, 12-bit JPEG and HTJ2K, and what it has for JPEG
2000 does not take colours of more than 8 bits.
"""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.pixels.decoders import base

_LABEL = "imagecodecs"

_LOSSLESS_JPEG = {uid.JPEGLossless, uid.JPEGLosslessSV1}
_JPEG_LS = {uid.JPEGLSLossless, uid.JPEGLSNearLossless}
_HTJ2K = {uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K}
_JPEG_2000 = {uid.JPEG2000Lossless, uid.JPEG2000, *_HTJ2K}

DECODER_DEPENDENCIES = dict.fromkeys(
    (*_LOSSLESS_JPEG, *_JPEG_LS, *_JPEG_2000, uid.JPEGExtended12Bit), ("imagecodecs",)
)
"""What pydicom asks of a plug-in."""


def is_available(syntax: str) -> bool:
    """Whether a transfer syntax is decoded here; pydicom asks."""
    return syntax in DECODER_DEPENDENCIES


def decode_frame(source: bytes, runner: base.DecodeRunner) -> bytes:
    """Decode one frame to the bytes that pydicom expects.

    Args:
        source: the frame as it is in the file.
        runner: what the file declares of it.

    Raises:
        ValueError: the frame is not of the size that the file declares.
        RuntimeError: it is damaged.
    """
    syntax = runner.transfer_syntax
    expected = (runner.rows, runner.columns)
    if syntax in _LOSSLESS_JPEG:
        image = imagecodecs.ljpeg_decode(source)
    elif syntax in _JPEG_LS:
        image = imagecodecs.jpegls_decode(source)
    elif syntax in _JPEG_2000:
        image = imagecodecs.jpeg2k_decode(source)
        runner.set_option("apply_j2k_sign_correction", False)
        if runner.photometric_interpretation in ("YBR_ICT", "YBR_RCT"):
            runner.set_option("photometric_interpretation", "RGB")
    else:
        image = imagecodecs.jpeg_decode(source)
    if image.shape[:2] != expected or image.size != _samples(runner):
        raise ValueError(f"a frame of {expected} is declared and one of {image.shape} is there")
    # pydicom takes contiguous samples of as many bytes as the type that it was told of
    size = image.dtype.itemsize
    runner.set_option("bits_allocated", 8 * size)
    runner.set_option("planar_configuration", 0)
    return bytes(np.ascontiguousarray(image).tobytes())


def register() -> None:
    """Tell pydicom of these decoders; once is enough."""
    for syntax in DECODER_DEPENDENCIES:
        decoder: Any = base.get_decoder(syntax)
        if _LABEL not in decoder.available_plugins:
            decoder.add_plugin(_LABEL, (__name__, "decode_frame"))


def _samples(runner: base.DecodeRunner) -> int:
    return int(runner.rows * runner.columns * runner.samples_per_pixel)


def check_declared(source: bytes, syntax: str, expected: tuple[int, int]) -> None:
    """See that a frame says the size that the file says, before room is made for it.

    Args:
        source: the frame as it is in the file.
        syntax: transfer syntax, of those that compress frames by themselves.
        expected: height and width.

    Raises:
        ValueError: it does not.
    """
    from cv_pipeline.imaging import jpeg
    from cv_pipeline.imaging.tiff import jpeg_2000_size

    if syntax in _JPEG_2000:
        found = jpeg_2000_size(source)
    elif syntax in _JPEG_LS:
        found = _jpeg_ls_size(source)
    else:
        found = jpeg.frame_size(source)
    if found != expected:
        raise ValueError(f"a frame of {expected} is declared and one of {found} is there")


def _jpeg_ls_size(source: bytes) -> tuple[int, int]:
    """Height and width of a JPEG-LS frame (ITU-T T.87, C.2.2: marker SOF55)."""
    at = source.index(b"\xff\xf7") + 5
    return int.from_bytes(source[at : at + 2], "big"), int.from_bytes(
        source[at + 2 : at + 4], "big"
    )
