"""Backgrounds and light: three conveyor belts indoors, and crates in the yard."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cv_pipeline.samples.fruit.noise import Paint, Plane, smooth, value_noise
from cv_pipeline.samples.fruit.painting import SUPERSAMPLING, Light
from cv_pipeline.samples.fruit.species import Colour

WIDTH, HEIGHT = 128, 96
BELT_STRETCH = 96  # pixels of belt beside the frame, for bursts of a moving belt


@dataclass(frozen=True)
class Scenery:
    """What is behind the fruit, and how it is lit.

    Attributes:
        albedo: (height, width, 3) of the supersampled canvas, display space squared.
        light: the light on it.
        exposure: (height, width): fall-off of light towards the corners.
        noise: standard deviation of the sensor's noise in display space.
    """

    albedo: Paint
    light: Light
    exposure: Plane
    noise: float


def scenery(
    camera: str, lighting: str, weather: str, *, offset: float, rng: np.random.Generator
) -> Scenery:
    """Scenery of one image.

    Args:
        camera: belt_1, belt_2, belt_3 or yard.
        lighting: bright, normal or dim.
        weather: sunny, overcast or rain in the yard; empty indoors.
        offset: how far the belt has moved, pixels of the image, below ``BELT_STRETCH``.
        rng: the same for all images of one burst.
    """
    lamp = _LAMPS[weather or lighting]
    light = _light(lamp, rng)
    albedo = _crate(weather, rng) if weather else _belt(camera, offset, rng)
    y = np.arange(HEIGHT * SUPERSAMPLING, dtype=np.float32) / np.float32(HEIGHT * SUPERSAMPLING)
    x = np.arange(WIDTH * SUPERSAMPLING, dtype=np.float32) / np.float32(WIDTH * SUPERSAMPLING)
    u, v = x - np.float32(0.3 + 0.4 * rng.random()), y - np.float32(0.3 + 0.4 * rng.random())
    depth = np.float32(0.30 if lighting != "dim" else 0.75)
    exposure = 1.06 - depth * (u * u + (v * v)[:, None])
    return Scenery(albedo, light, exposure, lamp.noise)


@dataclass(frozen=True)
class _Lamp:
    """One kind of light, before chance turns and dims it a little."""

    key: Colour
    fill: Colour
    level: tuple[float, float]  # from, to
    turn: tuple[float, float]  # angle in the image plane, from, to
    shadow: float
    softness: float
    noise: float


_INDOORS, _SKY = (-2.2, -1.7), (0.0, math.tau)
_LAMPS = {
    "bright": _Lamp(
        (0.97, 0.96, 0.92), (0.30, 0.32, 0.34), (1.10, 1.24), _INDOORS, 0.58, 4.0, 0.007
    ),
    "normal": _Lamp(
        (0.97, 0.96, 0.92), (0.30, 0.32, 0.34), (0.84, 0.98), _INDOORS, 0.58, 4.0, 0.007
    ),
    # sodium lamps of the night shift
    "dim": _Lamp((1.0, 0.84, 0.62), (0.27, 0.24, 0.20), (0.36, 0.46), _INDOORS, 0.62, 5.0, 0.016),
    "sunny": _Lamp((1.18, 1.08, 0.90), (0.20, 0.26, 0.36), (0.92, 1.08), _SKY, 0.72, 1.5, 0.008),
    "overcast": _Lamp((0.46, 0.48, 0.52), (0.54, 0.57, 0.62), (0.92, 1.08), _SKY, 0.40, 8.0, 0.008),
    "rain": _Lamp((0.30, 0.34, 0.40), (0.42, 0.47, 0.54), (0.92, 1.08), _SKY, 0.36, 9.0, 0.008),
}


def _light(lamp: _Lamp, rng: np.random.Generator) -> Light:
    turn, level = (low + (high - low) * rng.random() for low, high in (lamp.turn, lamp.level))
    return Light(
        key=_scaled(lamp.key, level),
        fill=_scaled(lamp.fill, level),
        direction=(0.6 * math.cos(turn), 0.6 * math.sin(turn), 0.8),
        shadow=lamp.shadow,
        softness=lamp.softness,
    )


def _scaled(colour: Colour, by: float) -> Colour:
    return colour[0] * by, colour[1] * by, colour[2] * by


_BELTS: dict[str, tuple[Colour, Colour, int]] = {
    # belt, rail, width of the rails in pixels
    "belt_1": ((0.36, 0.37, 0.39), (0.70, 0.72, 0.74), 7),
    "belt_2": ((0.24, 0.40, 0.36), (0.82, 0.82, 0.78), 4),
    "belt_3": ((0.42, 0.52, 0.62), (0.52, 0.54, 0.58), 9),
}


def _belt(camera: str, offset: float, rng: np.random.Generator) -> Paint:
    belt, rail, rail_width = _BELTS[camera]
    height, width = HEIGHT * SUPERSAMPLING, WIDTH * SUPERSAMPLING
    start = round(offset * SUPERSAMPLING)
    stretch = width + BELT_STRETCH * SUPERSAMPLING
    wear = value_noise(rng, (height, stretch), cell=26 * SUPERSAMPLING)
    streaks = value_noise(
        rng, (height, stretch), cell=2.0 * SUPERSAMPLING, cell_x=40 * SUPERSAMPLING
    )
    grit = value_noise(rng, (height, stretch), cell=0.8 * SUPERSAMPLING)
    shade = 0.86 + 0.16 * wear + 0.10 * streaks + 0.10 * grit
    x, y = np.arange(stretch), np.arange(height)
    if camera == "belt_3":
        # raised cleats across the belt
        at = (x + int(rng.integers(0, 90))) % (32 * SUPERSAMPLING)
        dip = np.where(at < 3 * SUPERSAMPLING, np.float32(0.80), np.float32(1))
        shade = shade * np.where(at < SUPERSAMPLING, np.float32(1.16), dip)
    else:
        weave = ((x // SUPERSAMPLING)[None, :] + (y // SUPERSAMPLING)[:, None]) % 2
        shade = shade * (0.97 + 0.06 * weave)
        seam = np.abs(x - int(rng.integers(0, 2 * stretch)))
        shade = shade * np.where(seam < SUPERSAMPLING, np.float32(0.62), np.float32(1))
    shade = shade[:, start : start + width].astype(np.float32)
    paint = shade[..., None] * np.array(belt, np.float32)
    paint = _rails(paint, rail, rail_width * SUPERSAMPLING, rng)
    return paint * paint


def _rails(paint: Paint, colour: Colour, width: int, rng: np.random.Generator) -> Paint:
    """Steel guides along the upper and the lower edge, which shade the belt beside them."""
    height = paint.shape[0]
    t = (np.arange(width, dtype=np.float32) + np.float32(0.5)) / np.float32(width)
    bulge = 0.55 + 0.45 * smooth(1 - np.abs(t - 0.4) * 2.2)
    brushed = 0.96 + 0.08 * rng.random((2, width), dtype=np.float32)
    steel = np.array(colour, np.float32)
    for side, rows in enumerate((slice(0, width), slice(height - width, height))):
        profile = bulge * brushed[side]
        paint[rows] = (profile[:, None] * steel)[:, None, :]
    fade = 1 - 0.45 * smooth(1 - np.arange(3 * width, dtype=np.float32) / np.float32(2 * width))
    inner = min(3 * width, height // 2 - width)
    paint[width : width + inner] *= fade[:inner, None, None]
    return paint


_CRATES: tuple[tuple[Colour, float], ...] = (
    # colour, and how much grain it shows: three woods and two plastics
    ((0.72, 0.56, 0.38), 1.0),
    ((0.64, 0.47, 0.32), 1.0),
    ((0.70, 0.62, 0.50), 1.0),
    ((0.30, 0.44, 0.64), 0.2),
    ((0.46, 0.50, 0.50), 0.2),
)


def _crate(weather: str, rng: np.random.Generator) -> Paint:
    """A crate on the ground, seen from above."""
    height, width = HEIGHT * SUPERSAMPLING, WIDTH * SUPERSAMPLING
    wet = np.float32(0.74 if weather == "rain" else 1.0)
    ground = 0.30 + 0.16 * value_noise(rng, (height, width), 1.2 * SUPERSAMPLING)
    ground = ground + 0.12 * value_noise(rng, (height, width), 12.0 * SUPERSAMPLING)
    paint = (ground * wet)[..., None] * np.array([1.0, 0.97, 0.92], np.float32)
    upright = rng.random() < 0.4
    # the crate often reaches out of the frame
    left, top, right, bottom = rng.random(4) * np.array([30, 24, 30, 24]) - np.array(
        [14, 12, 14, 12]
    )
    size = (round(HEIGHT - top - bottom), round(WIDTH - left - right))
    size_y, size_x = (v * SUPERSAMPLING for v in size)
    inside = _slats(size_x, size_y, rng) if upright else _slats(size_y, size_x, rng)
    if upright:
        inside = inside.transpose(1, 0, 2)
    y, x = round(top) * SUPERSAMPLING, round(left) * SUPERSAMPLING
    rows = slice(max(y, 0), min(y + size_y, height))
    columns = slice(max(x, 0), min(x + size_x, width))
    paint[rows, columns] = inside[
        rows.start - y : rows.stop - y, columns.start - x : columns.stop - x
    ] * (0.5 + 0.5 * wet)
    return paint * paint


def _slats(height: int, width: int, rng: np.random.Generator) -> Paint:
    """Boards with dark gaps between them, and the crate's walls around."""
    colour, grainy = _CRATES[int(rng.integers(len(_CRATES)))]
    material = np.array(colour, np.float32) * np.float32(0.85 + 0.25 * rng.random())
    pitch = int((12 + 10 * rng.random()) * SUPERSAMPLING)
    y = np.arange(height) + int(rng.integers(0, pitch))
    board, within = y // pitch, (y % pitch).astype(np.float32)
    tone = 1 + np.float32(grainy) * (0.26 * rng.random(int(board[-1]) + 1, dtype=np.float32) - 0.16)
    gap = smooth(np.minimum(within, pitch - within) / np.float32(SUPERSAMPLING) - np.float32(0.4))
    grain = 0.18 * value_noise(rng, (height, width), 0.9 * SUPERSAMPLING, 18.0 * SUPERSAMPLING)
    grain = grain + 0.10 * value_noise(rng, (height, width), 10.0 * SUPERSAMPLING)
    shade = (1 + (grain - 0.14) * np.float32(grainy)) * (tone[board] * (0.32 + 0.68 * gap))[:, None]
    x = np.arange(width, dtype=np.float32)
    rise = np.arange(height, dtype=np.float32)
    edge = np.minimum(np.minimum(x, width - 1 - x), np.minimum(rise, height - 1 - rise)[:, None])
    wall = np.float32(4 * SUPERSAMPLING)
    shade = shade * (0.58 + 0.42 * smooth(edge / (wall * 3)))
    rim = 1.05 + 0.14 * value_noise(rng, (height, width), 1.2 * SUPERSAMPLING)
    shade = np.where(edge < wall, rim, shade)
    lip = (edge >= wall) & (edge < wall + np.float32(SUPERSAMPLING))
    crate: Paint = np.where(lip, shade * np.float32(0.5), shade)[..., None] * material
    return crate
