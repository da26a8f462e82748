"""How much disk and memory pictures may take, from the environment."""

from __future__ import annotations

import os
import re

from cv_pipeline.errors import SettingsError

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def renders_bytes() -> int:
    """Bytes of renders on disk (``CV_RENDERS_SIZE``, default ``4G``)."""
    return _size("CV_RENDERS_SIZE", "4G")


def memory_bytes() -> int:
    """Bytes of opened pictures, and as many again to open others (``CV_PIXELS_MEMORY``, ``1G``)."""
    return _size("CV_PIXELS_MEMORY", "1G")


def _size(name: str, default: str) -> int:
    text = os.environ.get(name) or default
    found = re.fullmatch(r"(\d{1,12})([KMGT]?)", text.strip().upper())
    if not found or not int(found[1]):
        raise SettingsError(
            f"{name}={text!r} is no size.", do=f"Set it to a size such as {default}, or unset it."
        )
    return int(found[1]) * _UNITS[found[2]]
