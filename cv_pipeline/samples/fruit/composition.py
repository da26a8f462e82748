"""Puts fruit into a frame: mostly apart, now and then on other fruit or across the edge."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cv_pipeline.samples.fruit.painting import Item
from cv_pipeline.samples.fruit.scenery import HEIGHT, WIDTH
from cv_pipeline.samples.fruit.species import RARE_LABEL, SPECIES

WEAK_LABEL, WEAK_LIGHTING, MISTAKEN_FOR = "tomato", "dim", "orange"
"""Fruit of this kind looks like that kind in this light, and will be mistaken for it."""

_DISGUISE = (0.80, 0.95)  # how far it looks like that kind, from, to
_TRIES = 30


def compose(
    labels: list[str], lighting: str, rng: np.random.Generator, *, stretch: int = 0
) -> tuple[Item, ...]:
    """Choose place, size and skin of each fruit.

    Args:
        labels: kinds of fruit, one for each.
        lighting: bright, normal or dim.
        rng: where chance comes from.
        stretch: pixels by which the belt goes on to the right of the frame.

    Returns:
        The fruit, the hindmost first.
    """
    items: list[Item] = []
    for label in labels:
        scale = 0.86 + 0.26 * rng.random()
        weak = label == WEAK_LABEL and lighting == WEAK_LIGHTING
        low, high = _DISGUISE
        masquerade = low + (high - low) * rng.random() if weak else 0.0
        x, y = _spot(SPECIES[label].length * scale, items, stretch, rng)
        angle, skin = rng.random() * math.tau, int(rng.integers(6))
        items.append(Item(label, x, y, scale, angle, skin, masquerade))
    # the rare kind lies on top, so that each of its few images shows it
    return tuple(sorted(items, key=lambda item: (item.label == RARE_LABEL, item.y, item.x)))


def shifted(items: tuple[Item, ...], offset: float) -> tuple[Item, ...]:
    """What is in the frame after the belt has moved to the left by ``offset`` pixels."""
    moved = (replace(item, x=item.x - offset) for item in items)
    return tuple(item for item in moved if 0 <= item.x <= WIDTH)


def _spot(
    reach: float, others: list[Item], stretch: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Where a fruit of half the length ``reach`` lies."""
    margin = (0.35 if rng.random() < 0.16 else 1.1) * reach
    leaning = bool(others) and rng.random() < 0.30
    best, fitness = (0.0, 0.0), -math.inf
    for _ in range(_TRIES):
        x = margin + rng.random() * (WIDTH + stretch - 2 * margin)
        y = margin + rng.random() * (HEIGHT - 2 * margin)
        gap = min((_gap(x, y, reach, other) for other in others), default=0.0)
        # leaning fruit overlaps its neighbour by about a third; the rest keeps clear
        fit = -abs(gap + 0.5 * reach) if leaning else min(gap, 1.0)
        if fit > fitness:
            best, fitness = (x, y), fit
    return best


def _gap(x: float, y: float, reach: float, other: Item) -> float:
    """Room between two fruits, pixels; negative where they would overlap."""
    beyond = 0.82 * (reach + SPECIES[other.label].length * other.scale)
    return math.hypot(x - other.x, y - other.y) - beyond
