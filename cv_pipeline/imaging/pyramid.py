"""Levels and tiles of a picture: where each lies.

Level 0 is the picture itself, each further level half of the one before, rounded up, and the last
one fits in one tile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TILE = 512
"""Side of a tile, pixels."""


@dataclass(frozen=True)
class Box:
    """A part of a level: ``top`` to ``bottom`` and ``left`` to ``right``, pixels of that level."""

    top: int
    left: int
    bottom: int
    right: int


def levels_of(width: int, height: int) -> int:
    """Levels of a picture's pyramid: the last fits in one tile."""
    return max(0, math.ceil(math.log2(max(width, height) / TILE))) + 1


def level_size(width: int, height: int, level: int) -> tuple[int, int]:
    """Width and height of a level."""
    return -(-width // (1 << level)), -(-height // (1 << level))


def tile_box(width: int, height: int, level: int, x: int, y: int) -> Box | None:
    """The part of a level that a tile is; None when there is no such tile.

    Args:
        width: of the picture.
        height: of the picture.
        level: level of the pyramid.
        x: column of the tile.
        y: row of the tile.
    """
    if not 0 <= level < levels_of(width, height):
        return None
    across, down = level_size(width, height, level)
    left, top = x * TILE, y * TILE
    if not (0 <= left < across and 0 <= top < down):
        return None
    return Box(top, left, min(top + TILE, down), min(left + TILE, across))


def level_within(width: int, height: int, side: int) -> int:
    """First level whose longer side has at most ``side`` pixels."""
    level = 0
    while max(level_size(width, height, level)) > side:
        level += 1
    return level
