"""An activation map laid over its image, as a PNG for people to look at."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

_STRENGTH = 0.65
_BOX = (255, 255, 255)
_SHORTEST, _LONGEST = 640, 2000


def overlay_png(
    rgb8: NDArray[np.uint8], values: NDArray[np.float32], *, boxes: NDArray[np.float64] | None
) -> bytes:
    """Lay a map over an image: the grey image where nothing is, colour where activation is.

    The colours are those of ``inferno``, whose lightness rises with the value, so that they are
    told apart without seeing hues and in grey print.

    Args:
        rgb8: (H, W, 3) uint8; scaled so that its longest side has 640 to 2,000 pixels.
        values: (h, w), 0 to 1, of the whole image.
        boxes: (n, 4) xyxy in pixels of the image, drawn as outlines; or None.
    """
    from matplotlib import colormaps
    from PIL import Image, ImageDraw

    picture = Image.fromarray(rgb8)
    scale = float(np.clip(1.0, _SHORTEST / max(picture.size), _LONGEST / max(picture.size)))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(size)
    heat = Image.fromarray(values.astype(np.float32)).resize(
        picture.size, Image.Resampling.BILINEAR
    )
    strength = np.clip(np.asarray(heat, dtype=np.float32), 0.0, 1.0)[..., None]
    grey = np.asarray(picture.convert("L").convert("RGB"), dtype=np.float32)
    colour = colormaps["inferno"](strength[..., 0])[..., :3].astype(np.float32) * 255
    alpha = _STRENGTH * np.sqrt(strength)
    mixed = Image.fromarray(np.rint(grey * (1 - alpha) + colour * alpha).astype(np.uint8))
    draw = ImageDraw.Draw(mixed)
    width = max(1, round(min(mixed.size) / 200))
    for box in np.zeros((0, 4)) if boxes is None else boxes:
        edges = (np.asarray(box) * scale).tolist()
        draw.rectangle(edges, outline=_BOX, width=width)
    out = io.BytesIO()
    mixed.save(out, "PNG", optimize=True)
    return out.getvalue()
