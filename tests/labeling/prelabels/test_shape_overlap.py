from __future__ import annotations

import numpy as np
import pytest

from cv_pipeline.annotations.geometry import (
    KeyPoint,
    Mask,
    Shape,
    keypoints,
    polygon,
    rotated_box,
)
from cv_pipeline.annotations.geometry.run_lengths import runs_of_mask
from cv_pipeline.labeling.prelabels.shape_overlap import Drawn, overlap

WHOLE = (0.0, 0.0, 100.0, 80.0)
SQUARE = [(10.0, 10.0), (50.0, 10.0), (50.0, 50.0), (10.0, 50.0)]


def mask(left: int, top: int, right: int, bottom: int) -> Drawn:
    pixels = np.zeros((80, 100), bool)
    pixels[top:bottom, left:right] = True
    shape = Mask((80, 100), runs_of_mask(pixels))
    return Drawn((float(left), float(top), float(right), float(bottom)), shape)


def box(*edges: float) -> Drawn:
    left, top, right, bottom = edges
    return Drawn((left, top, right, bottom))


def drawn(shape: Shape, *edges: float) -> Drawn:
    left, top, right, bottom = edges or WHOLE
    return Drawn((left, top, right, bottom), shape)


OUTLINE = drawn(polygon([SQUARE]), 10, 10, 50, 50)
HOLE = [(20.0, 20.0), (40.0, 20.0), (40.0, 40.0), (20.0, 40.0)]
HOLED = drawn(polygon([SQUARE, HOLE], holes=[1]), 10, 10, 50, 50)
CORNER = drawn(polygon([[(10, 10), (50, 10), (10, 50)]]), 10, 10, 50, 50)
SMALL = drawn(polygon([[(1, 0), (3, 0), (3, 2), (1, 2)]]), 1, 0, 3, 2)


@pytest.mark.parametrize(
    ("one", "other", "expected", "within"),
    [
        (box(0, 0, 10, 10), box(5, 0, 15, 10), 1 / 3, 0.01),
        (OUTLINE, box(10, 10, 50, 50), 1, 0),  # the same outline, said in two ways
        (OUTLINE, drawn(polygon([[(x + 0.005, y) for x, y in SQUARE]]), 10, 10, 50, 50), 1, 0),
        (OUTLINE, drawn(polygon([[(x + 20, y) for x, y in SQUARE]]), 30, 10, 70, 50), 1 / 3, 0.01),
        # small things as exactly as large ones
        (box(0, 0, 2, 2), SMALL, 1 / 3, 0.01),
        (OUTLINE, HOLED, 0.75, 0.01),
        (drawn(rotated_box((30, 30), (40, 40), 90), 10, 10, 50, 50), OUTLINE, 1, 0.01),
        # a square turned by 45 degrees: the octagon that both cover
        (drawn(rotated_box((30, 30), (40, 40), 45), 1.7, 1.7, 58.3, 58.3), OUTLINE, 0.707, 0.01),
        (mask(10, 10, 50, 50), mask(10, 10, 50, 50), 1, 0),
        (mask(10, 10, 50, 50), mask(30, 10, 70, 50), 1 / 3, 1e-9),
        (mask(10, 10, 50, 50), box(10, 10, 50, 50), 1, 0.01),
        (mask(10, 10, 50, 50), CORNER, 0.5, 0.02),
        (mask(10, 10, 20, 20), box(60, 60, 70, 70), 0, 0),
        # what lies beyond the image of a mask, by rounding or far, does not count
        (mask(0, 0, 100, 80), box(-1, -2, 100.000001, 80.004), 1, 0),
        (mask(0, 0, 50, 80), box(0, 0, 1e9, 1e9), 0.5, 0),
        (mask(10, 10, 20, 20), box(200, 10, 210, 20), 0, 0),
        (OUTLINE, box(10, 10, float("inf"), 50), 0, 0),
    ],
)  # fmt: skip
def test_areas_overlap_by_intersection_over_union(one, other, expected, within):
    assert overlap(one, other) == pytest.approx(expected, abs=within)
    assert overlap(other, one) == pytest.approx(expected, abs=within)


def points(**at: tuple[float, float]) -> Drawn:
    return Drawn((0, 0, 40, 40), keypoints(KeyPoint(name, x, y) for name, (x, y) in at.items()))


def test_key_points_are_alike_by_how_far_they_are_apart():
    here = points(nose=(10, 10), tail=(30, 30))
    assert overlap(here, here) == 1
    # half of what can be alike: a point that one side lacks is not
    assert overlap(here, points(nose=(10, 10))) == 0.5
    # e^-½ at one spread, 2σ√area, of a point
    spread = 2 * 0.067 * 40
    moved = points(nose=(10 + spread, 10), tail=(30, 30))
    assert overlap(here, moved) == pytest.approx((1 + np.exp(-0.5)) / 2)
    assert overlap(here, points(nose=(39, 39), tail=(0, 0))) < 0.01
    assert overlap(here, box(0, 0, 40, 40)) == 0
