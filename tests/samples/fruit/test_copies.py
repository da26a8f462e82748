from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cv_pipeline.samples.fruit.copies import KINDS, copy
from cv_pipeline.samples.fruit.picture import Fruit

RED = (220, 20, 20)


def red_box(data: bytes) -> tuple[int, int, int, int]:
    image = np.asarray(Image.open(io.BytesIO(data))).astype(int)
    red = image[..., 0] - image[..., 1] > 90
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "box", [(20.0, 10.0, 60.0, 40.0), (0.0, 0.0, 30.0, 30.0), (90.0, 60.0, 128.0, 96.0)]
)
def test_boxes_follow_the_pixels(
    kind: str, seed: int, box: tuple[float, float, float, float]
) -> None:
    pixels = np.full((96, 128, 3), 128, np.uint8)
    left, top, right, bottom = (int(v) for v in box)
    pixels[top:bottom, left:right] = RED
    fruit = Fruit("tomato", box, hidden=0.0, outside=0.0, masquerade=0.0)
    data, size, [moved] = copy(kind, pixels, [fruit], np.random.default_rng(seed))
    assert Image.open(io.BytesIO(data)).size == size
    np.testing.assert_allclose(moved.box, red_box(data), atol=1.01)
    assert (moved.outside > 0) == (kind == "cropped" and box != (20.0, 10.0, 60.0, 40.0))


def test_an_unknown_kind_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="kind must be one of reencoded, resized"):
        copy("turned", np.zeros((96, 128, 3), np.uint8), [], np.random.default_rng(0))
