"""One image: scenery, fruit, lens and sensor; with the truth about each fruit in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cv_pipeline.samples.fruit.noise import Paint
from cv_pipeline.samples.fruit.painting import SUPERSAMPLING, Canvas, Item, paint
from cv_pipeline.samples.fruit.scenery import HEIGHT, WIDTH, Scenery

MIN_SHARE = 0.06  # of a fruit hidden, or cut off, from which on a careful reader says so
MIN_VISIBLE = 0.2  # of a fruit: what shows less is not looked for


@dataclass(frozen=True)
class Fruit:
    """What is really in an image.

    Attributes:
        label: kind of fruit.
        box: left, top, right, bottom of its visible part, pixels of the image.
        hidden: share of it that other fruit hides.
        outside: share of it that the image's edge cuts off.
        masquerade: how far it has taken the colours of an orange, 0 to 1.
    """

    label: str
    box: tuple[float, float, float, float]
    hidden: float
    outside: float
    masquerade: float

    @property
    def occluded(self) -> bool:
        """Whether other fruit hides part of it."""
        return self.hidden >= MIN_SHARE

    @property
    def truncated(self) -> bool:
        """Whether the image's edge cuts it off."""
        return self.outside >= MIN_SHARE


def draw(
    scenery: Scenery, items: tuple[Item, ...], rng: np.random.Generator
) -> tuple[Paint, list[Fruit]]:
    """Draw one image.

    Returns:
        The image, (96, 128, 3) in display space, 0 to 1, and the fruit that can be seen in it.
    """
    key = np.array(scenery.light.key, np.float32)
    fill = np.array(scenery.light.fill, np.float32)
    lz = np.float32(scenery.light.direction[2])
    canvas = Canvas(
        light=scenery.albedo * (key * lz + fill),
        owner=np.full(scenery.albedo.shape[:2], -1, np.int16),
    )
    areas = [paint(canvas, item, i, scenery.light, rng) for i, item in enumerate(items)]
    fruit = [
        _found(canvas.owner == i, item, *areas[i])
        for i, item in enumerate(items)
        if (canvas.owner == i).any()
    ]
    fruit = [f for f in fruit if f.hidden + f.outside <= 1 - MIN_VISIBLE]
    light = _shrink(canvas.light * scenery.exposure[..., None])
    # the sum of two uniform draws is noise enough, and needs no logarithm
    grain = rng.random((2, HEIGHT, WIDTH, 3), dtype=np.float32).sum(axis=0) - 1
    shown = np.sqrt(_shoulder(light)) + grain * np.float32(scenery.noise * 2.45)
    return np.clip(shown, 0, 1), fruit


def _found(visible: npt.NDArray[np.bool_], item: Item, whole: int, inside: int) -> Fruit:
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    edges = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    left, top, right, bottom = (round(float(e) / SUPERSAMPLING, 3) for e in edges)
    return Fruit(
        label=item.label,
        box=(left, top, right, bottom),
        hidden=round((inside - int(visible.sum())) / whole, 4),
        outside=round((whole - inside) / whole, 4),
        masquerade=item.masquerade,
    )


def _shrink(light: Paint) -> Paint:
    """Mean over each block of the supersampled canvas, added up in one fixed order."""
    total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for y in range(SUPERSAMPLING):
        for x in range(SUPERSAMPLING):
            total += light[y::SUPERSAMPLING, x::SUPERSAMPLING]
    return total / np.float32(SUPERSAMPLING * SUPERSAMPLING)


def _shoulder(light: Paint) -> Paint:
    """Roll highlights off instead of clipping them; the same below 0.7, 1 in the limit."""
    over = np.clip(light - np.float32(0.7), 0, None)
    rolled: Paint = np.minimum(light, np.float32(0.7)) + over / (1 + over / np.float32(0.3))
    return rolled
