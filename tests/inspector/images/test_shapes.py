"""What is drawn in place of a label's bounds: few points, near what is stored, whatever that is."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from cv_pipeline.annotations.geometry import KeyPoint, Mask, keypoints, polygon, rotated_box
from cv_pipeline.annotations.geometry.run_lengths import runs_of_mask
from cv_pipeline.inspector.images.outlines import outline_of_rings
from cv_pipeline.inspector.images.shapes import LARGE, SMALL, Detail, MarkShape, shapes_of
from tests.inspector.images.shaped import a_million_points, disc, huge_mask


def drawn(
    kind: str,
    text: str | None,
    size: tuple[int, int] = (100, 100),
    *,
    detail: Detail = LARGE,
    **order: tuple[str, ...],
) -> MarkShape:
    row = {"label": "red", "kind": kind, "geometry": text}
    (found,) = shapes_of([row], [size], detail=detail, order=order)
    assert found is not None
    return found


def pixels(shape: MarkShape, size: tuple[int, int]) -> np.ndarray:
    """(H, W) what a browser would fill: the middles of pixels by the even-odd rule."""
    width, height = size
    y, x = np.mgrid[:height, :width] + 0.5
    inside = np.zeros((height, width), bool)
    for flat in shape.rings:
        ring = np.array(flat).reshape(-1, 2) * size
        for (ax, ay), (bx, by) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if ay != by:
                inside ^= ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    return inside


def test_a_polygon_is_drawn_as_it_is_with_its_holes() -> None:
    outer, hole = [(10, 10), (90, 10), (90, 90), (10, 90)], [(40, 40), (60, 40), (60, 60), (40, 60)]
    found = drawn("polygon", polygon([outer, hole], [1]).text)
    assert found.tolerance == 0
    assert found.rings[0] == [0.1, 0.1, 0.9, 0.1, 0.9, 0.9, 0.1, 0.9]
    filled = pixels(found, (100, 100))
    assert filled[20, 20]
    assert not filled[50, 50]
    assert not filled[5, 5]
    assert filled.sum() == 80 * 80 - 20 * 20


def test_a_turned_box_begins_with_its_top_side() -> None:
    found = drawn("rotated_box", rotated_box((50, 50), (40, 20), 90).text)
    assert np.allclose(found.rings, [[0.6, 0.3, 0.6, 0.7, 0.4, 0.7, 0.4, 0.3]])


def test_key_points_come_in_the_order_of_the_ontology() -> None:
    text = keypoints([KeyPoint("a", 10, 20), KeyPoint("b", 30, 40, 1), KeyPoint("z", 50, 60)]).text
    found = drawn("keypoints", text, red=("z", "b"))
    assert [(p.name, p.visible) for p in found.points] == [("z", True), ("b", False), ("a", True)]
    assert (found.points[0].x, found.points[0].y) == (0.5, 0.6)


@pytest.mark.parametrize("seed", range(3))
def test_a_mask_is_drawn_along_the_edges_of_its_pixels(seed: int) -> None:
    smooth = cv2.GaussianBlur(np.random.default_rng(seed).random((60, 80)), (0, 0), 4)
    mask = smooth > np.median(smooth)
    found = drawn("mask", Mask((60, 80), runs_of_mask(mask)).text, (80, 60))
    assert found.tolerance == 0
    assert (pixels(found, (80, 60)) != mask).mean() < 0.005


def test_an_outline_is_as_near_as_it_says() -> None:
    random = np.random.default_rng(0)
    turn = np.linspace(0, 2 * np.pi, 5_000, endpoint=False)
    far = 300 + 40 * np.sin(9 * turn) + random.normal(0, 2, len(turn))
    ring = np.c_[500 + far * np.cos(turn), 500 + far * np.sin(turn)]
    for most in (40, 200, 1_000):
        found = outline_of_rings(ring, np.array([len(ring)]), least=0.5, most=most)
        line = found.rings[0].astype(np.float32)[:, None, :]
        off = max(abs(cv2.pointPolygonTest(line, (x, y), True)) for x, y in ring.tolist())
        assert len(line) <= most
        assert 0 < off <= found.tolerance + 0.01


def test_of_many_rings_the_largest_are_drawn() -> None:
    rings = [[(n, 0), (n + 1, 0), (n, 1 + n / 1_000)] for n in range(1_000)]
    found = drawn("polygon", polygon(rings).text, (1_000, 10))
    assert (len(found.rings), found.left_out) == (256, 744)
    assert found.rings[-1][0] == 0.999


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("polygon", a_million_points()),
        ("polygon", json.dumps({"rings": [[[n % 2 * 400, n / 50] for n in range(20_000)]]})),
        ("mask", huge_mask().text),
        (
            "mask",
            Mask((900, 900), runs_of_mask(np.random.default_rng(0).random((900, 900)) > 0.5)).text,
        ),
    ],
    ids=["a million points", "a zigzag", "30,000 pixels square", "noise"],
)
def test_what_is_hostile_takes_no_time(kind: str, text: str) -> None:
    began = time.monotonic()
    found = drawn(kind, text, (400, 300))
    assert time.monotonic() - began < 5  # as a rule less than one
    assert 4 <= sum(map(len, found.rings)) / 2 <= LARGE.points
    assert found.problem == ""


def test_a_huge_mask_is_where_it_should_be() -> None:
    found = drawn("mask", huge_mask().text, (400, 300))
    ring = np.array(found.rings[0]).reshape(-1, 2)
    assert np.allclose([ring.min(axis=0), ring.max(axis=0)], [[1 / 3] * 2, [2 / 3] * 2], atol=1e-3)


@pytest.mark.parametrize("kind", ["polygon", "mask", "keypoints", "rotated_box"])
@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "[" * 3_000, '{"rings":[]}', '{"rings":7}', '{"size":[1,2,3]}'),
        *('{"size":[10,10],"counts":"zzz"}', '{"size":["a",1],"counts":7}'),
        *('{"size":[1000000000,1000000000],"counts":"0"}', '{"points":[{"name":"a","x":NaN}]}'),
        *(
            '{"rings":[[[NaN,1],[1,NaN],[Infinity,3]]]}',
            '{"angle":NaN,"center":[1,1],"size":[1,1]}',
        ),
        '{"rings":' + "[[[1,2],[x,y],[5,6]]]" * 10_000 + "}",
    ],
)
def test_what_is_no_shape_says_so(kind: str, text: str) -> None:
    found = drawn(kind, text)
    assert found.problem
    assert not found.rings
    assert not found.points
    assert json.loads(found.model_dump_json())  # of numbers that JSON has


def test_points_that_are_no_numbers_are_left_out() -> None:
    found = drawn("polygon", '{"rings":[[[0,0],[100,0],[NaN,7],[100,1e300],[0,100]]]}')
    assert found.rings == [[0.0, 0.0, 1.0, 0.0, 1.0, 2.0, 0.0, 1.0]]


def test_a_grid_has_small_shapes_and_bounds_for_the_rest() -> None:
    rows: list[dict[str, Any]] = [
        {"label": "red", "kind": "mask", "geometry": disc().text},
        {"label": "red", "kind": "bbox", "geometry": None},
    ]
    some = replace(SMALL, shapes=40, in_all=800)
    shapes = shapes_of(rows * 60, [(400, 300)] * 120, detail=some, order={})
    assert [s is not None for s in shapes] == [True, False] * 40 + [False] * 40
    assert max(sum(map(len, s.rings)) / 2 for s in shapes if s) <= 16
    assert "too many" in drawn("polygon", a_million_points(), detail=SMALL).problem
