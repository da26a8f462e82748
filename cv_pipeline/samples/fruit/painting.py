"""Paints one fruit on a canvas: volume, highlight and shadow.

Light is linear; only additions, products, quotients and square roots touch the pixels, so that
the result is the same on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cv_pipeline.samples.fruit.noise import Paint, Plane, blur, value_noise
from cv_pipeline.samples.fruit.outline import height_squared
from cv_pipeline.samples.fruit.skin import Growth, Surface, paint_skin
from cv_pipeline.samples.fruit.species import SPECIES, Colour, Species

SUPERSAMPLING = 2


@dataclass(frozen=True)
class Item:
    """One fruit in an image.

    Attributes:
        label: its kind.
        x: centre, pixels of the image.
        y: centre, pixels of the image.
        scale: size relative to its kind's.
        angle: direction of the stem, radians.
        skin: which of its kind's skins.
        masquerade: 0 for its own looks, 1 for those of an orange.
    """

    label: str
    x: float
    y: float
    scale: float
    angle: float
    skin: int
    masquerade: float = 0.0


@dataclass(frozen=True)
class Light:
    """Light of a scene, in linear units.

    Attributes:
        key: colour of the directed light.
        fill: colour of the light from everywhere.
        direction: towards the directed light, of length 1; x right, y down, z to the camera.
        shadow: darkness of a shadow, 0 to 1.
        softness: width of a shadow's edge, pixels of the image.
    """

    key: Colour
    fill: Colour
    direction: tuple[float, float, float]
    shadow: float
    softness: float


@dataclass(frozen=True)
class Canvas:
    """A supersampled image in linear light, and which fruit covers each of its pixels.

    Attributes:
        light: (height, width, 3) float32.
        owner: (height, width) int16: index of the topmost fruit, -1 for none.
    """

    light: Paint
    owner: npt.NDArray[np.int16]


class _Patch:
    """The square around one fruit: its own coordinates, and where it meets the canvas."""

    def __init__(self, item: Item, reach: float, height: int, width: int) -> None:
        x0, y0 = item.x * SUPERSAMPLING, item.y * SUPERSAMPLING
        left, top = math.floor(x0 - reach), math.floor(y0 - reach)
        size = math.ceil(2 * reach)
        x = np.arange(left, left + size, dtype=np.float32) + np.float32(0.5 - x0)
        y = (np.arange(top, top + size, dtype=np.float32) + np.float32(0.5 - y0))[:, None]
        c, s = np.float32(math.cos(item.angle)), np.float32(math.sin(item.angle))
        self.along: Plane = x * c + y * s
        self.across: Plane = y * c - x * s
        rows = slice(max(top, 0), max(min(top + size, height), 0))
        columns = slice(max(left, 0), max(min(left + size, width), 0))
        self.canvas = (rows, columns)
        self.own = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )


def paint(
    canvas: Canvas, item: Item, index: int, light: Light, rng: np.random.Generator
) -> tuple[int, int]:
    """Paint one fruit with its shadow over what the canvas holds.

    Returns:
        The canvas pixels that it covers, without and with the edge of the image; what is painted
        over it later is not taken off.
    """
    species = SPECIES[item.label]
    length = species.length * item.scale * SUPERSAMPLING
    height, width = canvas.owner.shape
    patch = _Patch(item, length * species.reach + 6 * SUPERSAMPLING, height, width)
    field = height_squared(species, length, patch.along, patch.across)
    slope_y, slope_x = np.gradient(field)
    steepness = np.sqrt(slope_x * slope_x + slope_y * slope_y) + np.float32(1e-3)
    cover = np.clip(field / steepness + 0.5, 0, 1)

    _cast_shadow(canvas, patch, cover, light, thickness=length * min(species.girth, 0.9))

    surface = Surface(
        item.label, item.skin, item.masquerade, length, patch.along, patch.across, rng
    )
    skin, growth = paint_skin(surface)
    depth = np.sqrt(np.clip(field, 0, None))
    nx, ny = -slope_x / 2, -slope_y / 2
    # most of an orange's dimples come with its colours
    bumps = species.bumps + 0.7 * item.masquerade * SPECIES["orange"].bumps
    if bumps:
        rough_y, rough_x = np.gradient(value_noise(rng, field.shape, cell=2.4))
        strength = np.float32(bumps * length)
        nx, ny = nx + rough_x * strength, ny + rough_y * strength
    norm = np.sqrt(nx * nx + ny * ny + depth * depth) + np.float32(1e-3)
    normal = (nx / norm, ny / norm, depth / norm)
    lit = _shade(skin * skin, normal, species, item.masquerade, light)

    _lay(canvas, patch, lit, cover)
    body = cover > 0.5
    canvas.owner[patch.canvas][body[patch.own]] = index
    for part in growth:
        _lay(canvas, patch, _shade_growth(part, light), part.cover)
    return int(body.sum()), int(body[patch.own].sum())


def _lay(canvas: Canvas, patch: _Patch, colour: Paint, cover: Plane) -> None:
    weight = cover[patch.own][..., None]
    under = canvas.light[patch.canvas]
    over = colour[patch.own] if colour.ndim == 3 else colour
    canvas.light[patch.canvas] = under * (1 - weight) + over * weight


def _cast_shadow(
    canvas: Canvas, patch: _Patch, cover: Plane, light: Light, *, thickness: float
) -> None:
    """Darken the canvas by the fruit's shape, moved away from the light and softened."""
    lx, ly, lz = light.direction
    dx, dy = (round(-v / max(lz, 0.4) * thickness * 0.5) for v in (lx, ly))
    radius = max(1, round(light.softness * SUPERSAMPLING / 2))
    cast = blur(np.roll(cover, (dy, dx), (0, 1)), radius)
    contact = blur(cover, max(2, round(thickness * 0.14)))
    dark = np.maximum(cast, contact * np.float32(0.85)) * np.float32(light.shadow)
    canvas.light[patch.canvas] *= (1 - dark[patch.own])[..., None]


def _shade(
    albedo: Paint,
    normal: tuple[Plane, Plane, Plane],
    species: Species,
    masquerade: float,
    light: Light,
) -> Paint:
    """Light that leaves the skin: diffuse, fill with a darker rim, and a highlight."""
    nx, ny, nz = normal
    lx, ly, lz = light.direction
    halfway = math.sqrt(lx * lx + ly * ly + (lz + 1) * (lz + 1))
    hx, hy, hz = np.array([lx / halfway, ly / halfway, (lz + 1) / halfway], np.float32)
    sx, sy, sz = np.array(light.direction, np.float32)
    diffuse = np.clip((nx * sx + ny * sy + nz * sz) * 0.85 + 0.15, 0, None)
    fill = 0.35 + 0.65 * nz
    towards = np.clip(nx * hx + ny * hy + nz * hz, 0, 1)
    shine = _highlight(towards, species) * np.float32(1 - masquerade)
    if masquerade:
        shine = shine + _highlight(towards, SPECIES["orange"]) * np.float32(masquerade)
    key, ambient = np.array(light.key, np.float32), np.array(light.fill, np.float32)
    matt = albedo * (diffuse[..., None] * key + fill[..., None] * ambient)
    lit: Paint = matt + shine[..., None] * key
    return lit


def _highlight(towards: Plane, species: Species) -> Plane:
    """The mirrored light, for the cosine between the normal and the half-way direction."""
    for _ in range(species.sharpness):
        towards = towards * towards
    return towards * np.float32(species.gloss)


def _shade_growth(part: Growth, light: Light) -> Paint:
    albedo = np.array(part.colour, np.float32)
    key, ambient = np.array(light.key, np.float32), np.array(light.fill, np.float32)
    return albedo * albedo * (key * np.float32(0.75) + ambient)
