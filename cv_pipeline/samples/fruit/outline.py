"""Outlines and volumes: each fruit is a height field ``z² = f(along, across)``.

The field is positive inside the outline and negative outside, so that one function gives the
anti-aliased edge, the normals and the hidden share.
"""

from __future__ import annotations

import numpy as np

from cv_pipeline.samples.fruit.noise import Plane, smooth
from cv_pipeline.samples.fruit.species import Species


def height_squared(species: Species, length: float, along: Plane, across: Plane) -> Plane:
    """Squared height of the surface above the ground plane, pixels².

    Args:
        species: the kind of fruit.
        length: half its length along the stem axis, in pixels of these planes.
        along: coordinate along the axis, positive towards the stem.
        across: coordinate across it.
    """
    girth = length * species.girth
    if species.outline == "banana":
        return _bent_tube(length, girth, along, across)
    t = along / np.float32(length)
    t2 = t * t
    width = np.float32(girth) * np.sqrt(np.clip(1 - t2, 0, None))
    if species.outline == "pear":
        width = width * (1.08 - 0.50 * smooth(t * 0.75 + 0.30))
    elif species.outline == "lemon":
        width = width * (1 - 0.40 * t2 * t2)
    field = width * width - across * across
    # beyond the ends the width is zero and the field alone has no slope along the axis
    closed: Plane = np.where(t2 < 1, field, field - (t2 - 1) * np.float32(length * length * 0.5))
    return closed


def _bent_tube(length: float, girth: float, along: Plane, across: Plane) -> Plane:
    """A banana: a tube along an arc whose centre lies towards positive ``across``."""
    radius = np.float32(1.05 * length)
    y = radius - across - np.float32(0.24 * length)
    reach = np.sqrt(along * along + y * y)
    t = along / np.maximum(reach, 1) / np.float32(0.80)  # -1 and 1 where the flesh ends
    t2 = t * t
    tube = np.float32(girth) * np.sqrt(np.clip(1 - t2 * t2 * t2, 0, None)) * (1 - 0.10 * t)
    tube = np.maximum(tube, np.where(t > 0, np.float32(0.34 * girth), np.float32(0.28 * girth)))
    gap = reach - radius
    field = tube * tube - gap * gap
    # flat ends: the stem a little longer than the tip
    end = np.where(t > 0, t - np.float32(1.16), -t - np.float32(1.04)) * np.float32(length)
    field = np.minimum(field, -end * np.float32(2 * girth))
    # the arc's other half is no fruit; every cut is a ramp, for a jump would look like an edge
    whole: Plane = np.minimum(field, (y - np.float32(0.2) * radius) * np.float32(6 * girth))
    return whole
