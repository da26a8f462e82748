"""Shapes as canonical JSON: one text for one shape, and a reason for what is none."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.annotations.geometry import (
    BadShape,
    KeyPoint,
    Polygon,
    RotatedBox,
    box_of_corners,
    keypoints,
    polygon,
    read_shape,
    rotated_box,
)
from cv_pipeline.annotations.geometry.shape import corners_text

TRIANGLE = [(0.0, 0.0), (4.0, 0.0), (0.0, 3.0)]
sides = st.floats(0.01, 1e4)


@settings(max_examples=50)
@given(st.tuples(sides, sides), st.tuples(sides, sides), st.floats(-1e4, 1e4))
def test_a_box_is_its_corners(center, size, angle):
    box = rotated_box(center, size, angle)
    assert 0 <= box.angle < 360
    assert read_shape("rotated_box", box.text) == box
    back = box_of_corners(box.corners)
    assert isinstance(back, RotatedBox)
    assert back.center == pytest.approx(box.center, abs=1e-6)
    assert back.size == pytest.approx(box.size, abs=1e-6)


def test_angles_are_clockwise_about_the_centre():
    box = rotated_box((10, 10), (4, 2), 90)
    # what was the top left corner is at the top right: y goes down
    assert box.corners[0] == pytest.approx((11, 8))
    assert box_of_corners(box.corners).angle == pytest.approx(90)
    assert rotated_box((1, 1), (1, 1), -90).angle == 270


def test_corners_that_are_no_rectangle_stay_a_polygon():
    assert box_of_corners([(0, 0), (10, 0), (20, 10), (0, 10)]) == Polygon(
        (((0.0, 0.0), (10.0, 0.0), (20.0, 10.0), (0.0, 10.0)),)
    )
    found = read_shape("rotated_box", corners_text([(0, 0), (0, 10), (10, 10), (10, 0)]))
    assert isinstance(found, RotatedBox)  # the other way round


def test_a_closed_ring_is_the_same_as_an_open_one():
    assert polygon([[*TRIANGLE, TRIANGLE[0]]]) == polygon([TRIANGLE])
    assert polygon([TRIANGLE]).text == '{"rings":[[[0.0,0.0],[4.0,0.0],[0.0,3.0]]]}'


def test_holes_come_last():
    hole = [(1, 1), (2, 1), (1, 2)]
    text = '{"holes":[1],"rings":[[[0.0,0.0],[4.0,0.0],[0.0,3.0]],[[1.0,1.0],[2.0,1.0],[1.0,2.0]]]}'
    assert polygon([hole, TRIANGLE], [0]).text == text
    assert read_shape("polygon", text).text == text


def test_points_are_sorted_and_those_that_are_not_there_are_left_out():
    shape = keypoints([KeyPoint("b", 1, 2, 1), KeyPoint("a", 3, 4), KeyPoint("c", 0, 0, 0)])
    assert [p.name for p in shape.points] == ["a", "b"]
    assert read_shape("keypoints", shape.text) == shape


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("polygon", {"rings": []}, "bad_geometry"),
        ("polygon", {"rings": [[[0, 0], [1, 1], [0, 0], [1, 1]]]}, "too_few_points"),
        ("polygon", {"rings": [[[0, 0], [1, 1], [0, "1"]]]}, "bad_geometry"),
        ("polygon", {"rings": [[[0, 0], [1, 1], [0, 1, 2]]]}, "bad_geometry"),
        ("polygon", {"rings": [TRIANGLE], "holes": [0]}, "bad_geometry"),
        ("polygon", {"rings": 5}, "bad_geometry"),
        ("polygon", {"center": [1, 1], "size": [1, 1], "angle": 0}, "bad_geometry"),
        ("rotated_box", {"center": [1, 1], "size": [1, -1], "angle": 0}, "bad_geometry"),
        ("rotated_box", {"center": [1, 1], "size": [1, 1], "angle": True}, "bad_geometry"),
        ("rotated_box", {"corners": [[1, 1]]}, "bad_geometry"),
        ("rotated_box", {"center": [1, 1], "size": [1, 1], "angle": math.inf}, "not_finite"),
        ("rotated_box", {"center": [1, 1], "size": [1, 1], "angle": math.nan}, "not_finite"),
        ("rotated_box", {"center": [1, 1], "size": [1, 1], "angle": 1e308}, "bad_geometry"),
        ("rotated_box", {"center": [1, 1], "size": [1, 1], "angle": "45"}, "bad_geometry"),
        ("rotated_box", {"center": [-math.inf, 1], "size": [1, 1], "angle": 1}, "not_finite"),
        ("polygon", {"rings": [[[n, n * n] for n in range(100_001)]]}, "too_many_points"),
        ("mask", {"size": [10**6, 10**6], "counts": "0"}, "mask_too_large"),
        ("mask", {"size": [1, 1], "counts": "oooo"}, "bad_mask"),
        ("mask", {"size": [1, 1]}, "bad_geometry"),
        ("keypoints", {"points": []}, "no_points"),
        ("keypoints", {"points": [{"name": "a", "x": 1}]}, "bad_geometry"),
        ("keypoints", {"points": [{"name": "a", "x": 1, "y": 1}] * 2}, "repeated_point"),
        ("keypoints", {"points": [{"name": "a", "x": 1, "y": 1, "visible": 3}]}, "bad_geometry"),
        ("bbox", {}, "bad_geometry"),
    ],
)
def test_what_is_no_shape(kind, value, reason):
    with pytest.raises(BadShape) as error:
        read_shape(kind, json.dumps(value))
    assert error.value.reason == reason


@pytest.mark.parametrize("text", ["", "null", "[[", "[" * 100_000, '{"rings":[[[1e999,0],[1,1]]]}'])
def test_text_that_is_nothing(text):
    with pytest.raises(BadShape):
        read_shape("polygon", text)


def test_numbers_that_are_not_finite_are_named_later():
    shape = read_shape("polygon", '{"rings":[[[NaN,0],[1,1],[0,1]]]}')
    assert math.isnan(shape.rings[0][0][0])
