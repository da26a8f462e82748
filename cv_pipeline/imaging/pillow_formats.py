"""GIF, BMP and PNM through Pillow, each by its own plugin.

Pillow's ``open`` is passed by: the format is chosen by content from this list alone, and the
caller checks the size before a pixel is decoded. Palettes become RGB, bilevel becomes 8-bit,
transparency becomes a last band. Of several frames the first is read.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, GifImagePlugin, ImageFile, PpmImagePlugin

from cv_pipeline.imaging.header import Header

_PLUGINS: dict[bytes, tuple[str, type[ImageFile.ImageFile]]] = {
    b"GIF8": ("GIF", GifImagePlugin.GifImageFile),
    b"BM": ("BMP", BmpImagePlugin.BmpImageFile),
    **{b"P%d" % n: ("PPM", PpmImagePlugin.PpmImageFile) for n in range(1, 7)},
    b"Pf": ("PPM", PpmImagePlugin.PpmImageFile),
}
MAGICS = tuple(_PLUGINS)

# Pillow's mode to the mode it is converted to, the bands and the type of what comes out.
_MODES = {
    "1": ("L", 1, "uint8"),
    "L": ("L", 1, "uint8"),
    "P": ("RGB", 3, "uint8"),
    "RGB": ("RGB", 3, "uint8"),
    "RGBA": ("RGBA", 4, "uint8"),
    "I": ("I", 1, "uint16"),  # 16-bit grey, which Pillow holds in 32 bits
    "F": ("F", 1, "float32"),
}
_TRANSPARENT_PALETTE = ("RGBA", 4, "uint8")


def read_header(data: bytes) -> Header:
    """Read size and bands.

    Raises:
        OSError, SyntaxError, ValueError, and what else Pillow raises of damaged headers.
    """
    format_, image = _open(data)
    _, bands, dtype = _mode(image)
    return Header(format_, image.width, image.height, bands, dtype)


def read_pixels(data: bytes) -> NDArray[Any]:
    """Decode to (H, W, C).

    Raises:
        OSError, ValueError, and what else Pillow raises of damaged pixels.
    """
    _, image = _open(data)
    mode, bands, dtype = _mode(image)
    pixels = np.asarray(image.convert(mode), dtype=dtype)
    return pixels.reshape(image.height, image.width, bands)


def _open(data: bytes) -> tuple[str, ImageFile.ImageFile]:
    format_, plugin = next(_PLUGINS[m] for m in MAGICS if data.startswith(m))
    image = plugin(io.BytesIO(data))
    tile = image.tile[0] if image.tile else None
    if format_ == "PPM" and image.mode == "RGB" and tile and tile.codec_name.startswith("ppm"):
        depth = tile.args[-1] if isinstance(tile.args, tuple) else 255
        if depth > 255:  # Pillow would drop the lower bits without a word
            raise ValueError("16-bit colour PNM is not read; PNG and TIFF are")
    return format_, image


def _mode(image: ImageFile.ImageFile) -> tuple[str, int, str]:
    if image.mode == "P" and "transparency" in image.info:
        return _TRANSPARENT_PALETTE
    if image.mode not in _MODES:
        raise ValueError(f"pixels of mode {image.mode} are not read")
    return _MODES[image.mode]
