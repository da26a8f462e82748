"""Temperatures of 16-bit TIFF files of thermal cameras whose numbers are linear in temperature.

Only where the file says so: by the gain in its XMP, or by a camera whose manual gives it.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import tifffile

from cv_pipeline.imaging.meaning import Band, Meaning

_XMP, _MODEL = 700, 272
_ZERO_CELSIUS = 273.15
_GAIN = re.compile(rb"(?i)\b\w+:TLinearGain\s*(?:=\s*[\"']|>)\s*([0-9.]+(?:/[0-9]+)?)")
_CAMERA = re.compile(rb"(?i)(duo pro r|vue pro r)\b")
_FINE, _COARSE = 0.04, 0.40
"""Kelvin per count of FLIR's Duo Pro R and Vue Pro R at high resolution (−25 to 135 °C, at most
10,205 counts) and low resolution (−40 to 550 °C, at most 2,058); Duo Pro R User Guide, 6.2.2."""

_COARSE_AT_MOST = 2_100


def thermal_meaning(page: tifffile.TiffPage) -> Meaning | None:
    """What the numbers of a thermal frame mean; None when the file does not say.

    Args:
        page: its only page, of one band of 16 bits.
    """
    if page.samplesperpixel != 1 or page.dtype != np.uint16:
        return None
    text = b"\0".join(_bytes(page, code) for code in (_XMP, _MODEL))
    gain = 0.0
    if found := _GAIN.search(text):
        top, _, bottom = found[1].partition(b"/")
        gain = float(top) / float(bottom or b"1") if top.count(b".") < 2 and bottom != b"0" else 0
    elif _CAMERA.search(text):
        middle = float(np.median(page.asarray(maxworkers=1)))
        gain = _COARSE if middle <= _COARSE_AT_MOST else _FINE
    if not 0.001 <= gain <= 1.0:
        return None
    band = Band("Temperature", "thermal", unit="°C", scale=gain, offset=-_ZERO_CELSIUS)
    return Meaning((band,), modality="thermal")


def _bytes(page: tifffile.TiffPage, code: int) -> bytes:
    tag = page.tags.get(code)
    value: Any = tag.value if tag is not None else b""
    if isinstance(value, tuple):
        value = bytes(v & 255 for v in value if isinstance(v, int))
    return value.encode("utf-8", "replace") if isinstance(value, str) else bytes(value)
