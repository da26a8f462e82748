"""Skins: the colours of a fruit's surface, with its blush, marks, calyx, stem and leaf."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cv_pipeline.samples.fruit.noise import Paint, Plane, smooth, value_noise
from cv_pipeline.samples.fruit.species import SPECIES, Colour

STEM: Colour = (0.34, 0.24, 0.13)
LEAF: Colour = (0.26, 0.50, 0.16)


@dataclass(frozen=True)
class Surface:
    """Where a skin is painted.

    Attributes:
        label: kind of fruit.
        skin: which of its kind's skins.
        masquerade: 0 for its own colours, 1 for those of an orange.
        length: half the fruit's length, pixels.
        along: coordinate along the stem axis, pixels.
        across: coordinate across it.
        rng: source of the individual's variety.
    """

    label: str
    skin: int
    masquerade: float
    length: float
    along: Plane
    across: Plane
    rng: np.random.Generator


@dataclass(frozen=True)
class Growth:
    """What stands out of the fruit: a stem or a leaf.

    Attributes:
        cover: coverage, 0 to 1.
        colour: its albedo in display space.
    """

    cover: Plane
    colour: Colour


def paint_skin(surface: Surface) -> tuple[Paint, list[Growth]]:
    """Albedo of every pixel in display space, and what grows out of the fruit."""
    species = SPECIES[surface.label]
    orange = SPECIES["orange"]
    first, second = species.skins[surface.skin % len(species.skins)]
    if surface.masquerade:
        disguise = orange.skins[surface.skin % len(orange.skins)]
        first = _towards(first, disguise[0], surface.masquerade)
        second = _towards(second, disguise[1], surface.masquerade)
    shape = surface.along.shape
    weight = smooth(value_noise(surface.rng, shape, cell=surface.length * 0.9) * 1.6 - 0.3)
    grain = value_noise(surface.rng, shape, cell=4.0)
    skin = _mix(np.broadcast_to(np.array(first, np.float32), (*shape, 3)), second, weight)
    skin = skin * (0.94 + 0.12 * grain)[..., None]
    marks = _MARKS.get(surface.label)
    return marks(skin, surface) if marks else (skin, [])


def _towards(a: Colour, b: Colour, weight: float) -> Colour:
    red, green, blue = (x * (1 - weight) + y * weight for x, y in zip(a, b, strict=True))
    return red, green, blue


def _mix(base: Paint, colour: Colour, weight: Plane) -> Paint:
    w = weight[..., None]
    return base * (1 - w) + np.array(colour, np.float32) * w


def _spot(surface: Surface, at: float, radius: float) -> Plane:
    """A soft round spot on the axis, 1 in its middle; ``at`` and ``radius`` in lengths."""
    d = surface.along - np.float32(at * surface.length)
    square = np.float32((radius * surface.length) ** 2)
    return smooth(1 - (d * d + surface.across * surface.across) / square)


def _blade(
    surface: Surface, at: float, angle: float, reach: float, width: float, *, pointed: bool = True
) -> Plane:
    """Coverage of a leaf, or of a stick, that starts on the axis at ``at`` lengths."""
    c, s = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    d = surface.along - np.float32(at * surface.length)
    u = (d * c + surface.across * s) / np.float32(reach * surface.length)
    v = surface.across * c - d * s
    taper: Plane = np.clip(4 * u * (1 - u), 0, None) if pointed else np.ones_like(u)
    half = np.float32(width * surface.length) * taper
    cover: Plane = np.clip(half - np.abs(v) + 0.5, 0, 1) * ((u > 0) & (u < 1))
    return cover


def _apple(skin: Paint, surface: Surface) -> tuple[Paint, list[Growth]]:
    rng, at = surface.rng, 0.30 + 0.38 * surface.rng.random()
    streaks = value_noise(rng, surface.along.shape, cell=3.0)
    skin = skin * (0.93 + 0.14 * streaks)[..., None]
    skin = _mix(skin, (0.80, 0.66, 0.26), _spot(surface, at, 0.60) * np.float32(0.5))
    skin = _mix(skin, (0.22, 0.16, 0.06), _spot(surface, at, 0.26) * np.float32(0.85))
    lean = rng.random() * 0.8 - 0.4
    growth = [Growth(_blade(surface, at, lean, 0.62, 0.055, pointed=False), STEM)]
    if rng.random() < 0.55:
        growth.append(Growth(_blade(surface, at + 0.22, lean + 1.0, 0.85, 0.20), LEAF))
    return skin, growth


def _tomato(skin: Paint, surface: Surface) -> tuple[Paint, list[Growth]]:
    rng, at = surface.rng, 0.12 + 0.45 * surface.rng.random()
    # in dim light the calyx sinks into the colour of the skin
    strength = np.float32(1 - 0.98 * surface.masquerade)
    skin = _mix(skin, (0.55, 0.30, 0.06), _spot(surface, at, 0.34) * np.float32(0.5) * strength)
    turn = rng.random() * math.tau
    growth = []
    for leaf in range(5):
        angle = turn + leaf * math.tau / 5 + 0.3 * rng.random()
        cover = _blade(surface, at, angle, 0.42 + 0.12 * rng.random(), 0.10)
        growth.append(Growth(cover * strength, (0.22, 0.44, 0.12)))
    growth.append(Growth(_spot(surface, at, 0.14) * strength, (0.34, 0.52, 0.20)))
    if surface.masquerade:
        skin = _button(skin, surface, surface.masquerade)
    return skin, growth


def _orange(skin: Paint, surface: Surface) -> tuple[Paint, list[Growth]]:
    return _button(skin, surface, 1.0), []


def _button(skin: Paint, surface: Surface, strength: float) -> Paint:
    """The scar of an orange's stem, on three of four."""
    at = 0.05 + 0.65 * surface.rng.random()
    if surface.rng.random() < 0.75:
        around = _spot(surface, at, 0.26) * np.float32(0.6 * strength)
        skin = _mix(skin, (0.80, 0.42, 0.05), around)
        skin = _mix(skin, (0.42, 0.46, 0.16), _spot(surface, at, 0.13) * np.float32(strength))
    return skin


def _banana(skin: Paint, surface: Surface) -> tuple[Paint, list[Growth]]:
    t = surface.along / np.float32(surface.length)
    skin = _mix(skin, (0.62, 0.66, 0.18), smooth((t - 0.62) * 5) * np.float32(0.8))
    skin = _mix(skin, (0.28, 0.20, 0.10), smooth((t - 0.86) * 12))
    skin = _mix(skin, (0.20, 0.15, 0.09), smooth((-t - 0.80) * 14))
    specks = value_noise(surface.rng, surface.along.shape, cell=3.0)
    ripe = np.float32(0.2 + 0.8 * surface.rng.random())
    return _mix(skin, (0.40, 0.26, 0.10), smooth((specks - 0.80) * 8) * ripe), []


def _lemon(skin: Paint, surface: Surface) -> tuple[Paint, list[Growth]]:
    t = surface.along / np.float32(surface.length)
    return _mix(skin, (0.66, 0.72, 0.20), smooth((np.abs(t) - 0.72) * 4) * np.float32(0.7)), []


def _pear(skin: Paint, surface: Surface) -> tuple[Paint, list[Growth]]:
    specks = value_noise(surface.rng, surface.along.shape, cell=2.4)
    skin = _mix(skin, (0.50, 0.42, 0.16), smooth((specks - 0.78) * 7) * np.float32(0.55))
    skin = _mix(skin, (0.36, 0.28, 0.12), _spot(surface, 1.0, 0.20) * np.float32(0.8))
    lean = surface.rng.random() * 0.7 - 0.35
    growth = [Growth(_blade(surface, 0.94, lean, 0.34, 0.045, pointed=False), STEM)]
    if surface.rng.random() < 0.35:
        growth.append(Growth(_blade(surface, 1.05, lean + 1.2, 0.50, 0.13), LEAF))
    return skin, growth


def _plum(skin: Paint, surface: Surface) -> tuple[Paint, list[Growth]]:
    bloom = smooth(value_noise(surface.rng, surface.along.shape, cell=surface.length * 0.45))
    skin = _mix(skin, (0.62, 0.58, 0.74), bloom * np.float32(0.36))
    bend = surface.across - np.float32(0.28 * surface.length)
    groove = np.clip(1 - np.abs(bend) / np.float32(0.09 * surface.length), 0, 1)
    skin = _mix(skin, (0.16, 0.06, 0.16), groove * np.float32(0.55))
    return skin, [Growth(_blade(surface, 0.86, 0.2, 0.34, 0.06, pointed=False), STEM)]


def _kiwi(skin: Paint, surface: Surface) -> tuple[Paint, list[Growth]]:
    fuzz = value_noise(surface.rng, surface.along.shape, cell=2.0)
    skin = skin * (0.80 + 0.40 * fuzz)[..., None]
    return _mix(skin, (0.24, 0.18, 0.09), _spot(surface, 0.92, 0.24)), []


_MARKS: dict[str, Callable[[Paint, Surface], tuple[Paint, list[Growth]]]] = {
    "apple": _apple,
    "banana": _banana,
    "kiwi": _kiwi,
    "lemon": _lemon,
    "orange": _orange,
    "pear": _pear,
    "plum": _plum,
    "tomato": _tomato,
}
