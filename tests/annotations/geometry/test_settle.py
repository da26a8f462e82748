"""Shapes against their images: scaled, clipped, bounded, or refused with a reason."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cv_pipeline.annotations.geometry import KeyPoint, Mask, keypoints, polygon, rotated_box
from cv_pipeline.annotations.geometry.run_lengths import runs_of_mask
from cv_pipeline.annotations.geometry.settle import Settled, settle
from cv_pipeline.annotations.geometry.shape import corners_text

WIDTH, HEIGHT = 100, 80


def settled(kind: str, text: str, *, scaled: bool = False, names=None) -> Settled:
    """The shape, between two good ones that must stay as they are."""
    good = polygon([[(1, 1), (9, 1), (9, 9)]]).text
    found = settle(
        ["polygon", kind, "polygon"],
        [good, text, good],
        sizes=np.array([[WIDTH, HEIGHT]] * 3, dtype=float),
        scaled=np.array([False, scaled, False]),
        point_names=names and {1: names},
    )
    assert found.texts[::2] == [good, good]
    assert found.bounds[[0, 2]].tolist() == [[1, 1, 9, 9]] * 2
    return found


def ring(*places: tuple[float, float]) -> str:
    return json.dumps({"rings": [places]})


def mask_text(*, height: int = HEIGHT, width: int = WIDTH, inside: bool = True) -> str:
    pixels = np.zeros((height, width), dtype=bool)
    pixels[10:20, 30:50] = inside
    return Mask((height, width), runs_of_mask(pixels)).text


@pytest.mark.parametrize(
    ("kind", "text", "bounds"),
    [
        ("polygon", ring((5, 6), (50, 6), (50, 70)), [5, 6, 50, 70]),
        ("polygon", ring((-1, 0), (101, 0), (50, 81)), [0, 0, 100, 80]),
        ("rotated_box", rotated_box((50, 40), (20, 10), 90).text, [45, 30, 55, 50]),
        ("mask", mask_text(), [30, 10, 50, 20]),
        ("keypoints", keypoints([KeyPoint("a", 5, 6)]).text, [5, 6, 6, 7]),
        ("keypoints", keypoints([KeyPoint("a", 100, 80)]).text, [99, 79, 100, 80]),
        (
            "keypoints",
            keypoints([KeyPoint("a", 5.5, 6), KeyPoint("b", 8.5, 9.5)]).text,
            [5, 6, 9, 10],
        ),
    ],
)
def test_shapes_that_pass_have_bounds_in_the_image(kind, text, bounds):
    found = settled(kind, text)
    assert found.refused == found.reported == {}
    assert found.bounds[1].tolist() == pytest.approx(bounds)
    assert found.kinds[1] == kind
    again = settled(kind, found.texts[1])
    assert again.texts[1] == found.texts[1]  # what is settled stays so


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("polygon", ring((0, 0), (101.5, 0), (50, 60)), "out_of_frame_shape"),
        ("polygon", ring((0, -1.5), (50, 0), (50, 60)), "out_of_frame_shape"),
        ("polygon", ring((100, 1), (101, 1), (101, 5)), "out_of_frame_shape"),
        ("polygon", ring((0, 0), (5, 5), (9, 9)), "zero_area_shape"),
        ("polygon", '{"rings":[[[NaN,0],[1,1],[0,1]]]}', "not_finite"),
        ("polygon", '{"rings":[[[1e999,0],[1,1],[0,1]]]}', "not_finite"),
        ("polygon", "{}", "bad_geometry"),
        ("rotated_box", rotated_box((50, 40), (0, 10), 20).text, "zero_area_shape"),
        ("rotated_box", rotated_box((99, 40), (20, 10), 45).text, "out_of_frame_shape"),
        ("rotated_box", '{"angle":NaN,"center":[1,1],"size":[1,1]}', "not_finite"),
        ("mask", mask_text(width=WIDTH + 1), "size_mismatch"),
        ("mask", mask_text(inside=False), "zero_area_shape"),
        ("keypoints", keypoints([KeyPoint("a", 102, 6)]).text, "out_of_frame_shape"),
    ],
)
def test_one_bad_shape_is_named_and_the_others_pass(kind, text, reason):
    found = settled(kind, text)
    assert {place: error.reason for place, error in found.refused.items()} == {1: reason}
    assert found.texts[1] is None
    assert np.isnan(found.bounds[1]).all()


def test_a_polygon_that_crosses_itself_is_told_and_kept():
    found = settled("polygon", ring((10, 10), (60, 10), (20, 50), (40, 0)))
    assert {place: e.reason for place, e in found.reported.items()} == {1: "self_intersection"}
    assert found.texts[1]
    touching = ring((10, 10), (30, 10), (30, 30), (20, 10), (10, 30))  # it touches, in a point
    assert settled("polygon", touching).reported == {}


def test_shares_become_pixels():
    found = settled("polygon", ring((0.1, 0.1), (0.5, 0.1), (0.5, 0.5)), scaled=True)
    assert found.bounds[1].tolist() == [10, 8, 50, 40]
    upright = corners_text([(0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5)])
    box = settled("rotated_box", upright, scaled=True)
    assert (box.kinds[1], box.texts[1]) == ("bbox", None)
    assert box.bounds[1].tolist() == [10, 8, 50, 40]
    # a square of shares is none of pixels, but turned it is a rhombus, not a rectangle
    turned = corners_text([(0.5, 0.1), (0.9, 0.5), (0.5, 0.9), (0.1, 0.5)])
    assert settled("rotated_box", turned, scaled=True).kinds[1] == "polygon"
    points = settled("keypoints", keypoints([KeyPoint("a", 0.5, 0.5)]).text, scaled=True)
    assert points.bounds[1].tolist() == [50, 40, 51, 41]


def test_names_of_points_are_those_of_the_ontology():
    text = keypoints([KeyPoint("nose", 5, 6)]).text
    assert settled("keypoints", text, names=("nose", "ear")).refused == {}
    found = settled("keypoints", text, names=("eye", "ear"))
    assert found.refused[1].reason == "unknown_point"
    assert "'nose' is none of the points ear, eye" in found.refused[1].detail


def test_clipping_leaves_no_polygon_behind():
    found = settled("polygon", ring((-0.5, 0), (0.0, 5), (-0.5, 9)))
    assert found.refused[1].reason in ("out_of_frame_shape", "zero_area_shape")
