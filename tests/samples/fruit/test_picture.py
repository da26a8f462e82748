from __future__ import annotations

import numpy as np
import pytest

from cv_pipeline.samples.fruit.painting import Item
from cv_pipeline.samples.fruit.picture import Fruit, draw
from cv_pipeline.samples.fruit.scenery import scenery
from cv_pipeline.samples.fruit.species import LABELS


def picture(
    *items: Item, camera: str = "belt_1", lighting: str = "normal", weather: str = ""
) -> tuple[np.ndarray, list[Fruit]]:
    rng = np.random.default_rng(1)
    behind = scenery(camera, lighting, weather, offset=0, rng=rng)
    return draw(behind, items, rng)


def item(label: str, x: float = 64, y: float = 48, **changes: float) -> Item:
    return Item(label, x, y, **{"scale": 1.0, "angle": 0.3, "skin": 0, **changes})


@pytest.mark.parametrize("label", LABELS)
def test_the_box_is_where_the_fruit_is(label: str) -> None:
    empty, _ = picture()
    full, [fruit] = picture(item(label))
    left, top, right, bottom = (round(v) for v in fruit.box)
    changed = np.abs(full - empty).max(axis=2) > 0.12
    inside = changed[top:bottom, left:right]
    assert fruit.label == label
    assert 12 <= right - left <= 60
    assert inside.any(axis=0).mean() > 0.9
    assert inside.any(axis=1).mean() > 0.9
    assert (fruit.hidden, fruit.outside) == (0, 0)


def test_pixels_are_in_range_and_of_one_size() -> None:
    for camera, lighting, weather in (
        ("belt_1", "dim", ""),
        ("belt_2", "bright", ""),
        ("belt_3", "normal", ""),
        ("yard", "bright", "sunny"),
        ("yard", "normal", "rain"),
    ):
        pixels, _ = picture(item("plum"), camera=camera, lighting=lighting, weather=weather)
        assert pixels.shape == (96, 128, 3)
        assert pixels.dtype == np.float32
        assert pixels.min() >= 0
        assert pixels.max() <= 1


def test_fruit_in_front_hides_fruit_behind() -> None:
    _, [behind, front] = picture(item("orange", 50), item("orange", 62))
    assert 0.1 < behind.hidden < 0.6
    assert front.hidden == 0
    assert behind.occluded
    assert not front.occluded
    assert behind.box[2] < 50 + 14  # only its visible part counts


def test_the_edge_cuts_fruit_off() -> None:
    _, [fruit] = picture(item("orange", 0))
    assert fruit.outside == pytest.approx(0.5, abs=0.02)
    assert fruit.truncated
    assert fruit.box[0] == 0


def test_fruit_that_hardly_shows_is_not_there() -> None:
    assert picture(item("plum", -8))[1] == []
    hidden = picture(item("plum", 64), item("apple", 64))[1]
    assert [fruit.label for fruit in hidden] == ["apple"]


def test_dim_light_is_dim_and_a_tomato_in_it_is_orange() -> None:
    def middle(label: str, lighting: str, masquerade: float = 0.0) -> np.ndarray:
        pixels, _ = picture(item(label, masquerade=masquerade), lighting=lighting)
        return pixels[44:53, 58:64].mean(axis=(0, 1))

    assert middle("apple", "dim").sum() < 0.8 * middle("apple", "normal").sum()
    plain, disguised = middle("tomato", "dim"), middle("tomato", "dim", 0.9)
    orange = middle("orange", "dim")
    assert np.abs(disguised - orange).max() < 0.08 < 0.15 < np.abs(plain - orange).max()
