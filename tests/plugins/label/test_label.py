from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.label import Found, Unlabelled, suggest
from cv_pipeline.plugins.label.model import expected_corrections, one_at_a_place

NAN = (np.nan,) * 4
IDS = pa.array(["a", "b", "c"])


def found(*rows: tuple[int, int, float, tuple[float, ...]]) -> Found:
    image, label, score, boxes = zip(*rows, strict=True)
    return Found(np.array(image), np.array(label), np.array(score), np.array(boxes, np.float64))


def test_of_boxes_at_one_place_the_surest_is_suggested_whatever_its_class():
    said = found(
        (0, 0, 0.6, (0, 0, 10, 10)),
        (0, 1, 0.9, (0, 0, 10, 11)),  # the same place, surer
        (0, 1, 0.8, (20, 0, 30, 10)),
        (0, 1, 0.25, (40, 0, 50, 10)),  # not sure enough, but it might be there
        (0, 1, 0.1, (60, 0, 70, 10)),  # faint
        (2, 0, 0.5, (0, 0, 10, 10)),  # the same place on another image
    )
    images = Unlabelled(IDS, labels=("x", "y"), boxes=True, least_score=0.3, found=said)
    made = suggest("model", images, seed=0)
    shown = made.objects
    assert list(zip(shown.image, shown.label, shown.score, strict=True)) == [
        (0, 1, 0.9),
        (0, 1, 0.8),
        (2, 0, 0.5),
    ]
    # 0.1 + 0.2 + 0.25 corrections are to be expected on a, none on b, half a one on c
    assert made.uncertainty == pytest.approx([0.55, 0, 0.5])


def test_a_chain_of_overlapping_boxes_is_thinned_from_the_surest():
    """b overlaps a and c; a is surest, so b goes, and c stays though b overlapped it."""
    chain = found(
        (0, 0, 0.9, (0, 0, 10, 10)), (0, 0, 0.8, (3, 0, 13, 10)), (0, 0, 0.7, (6, 0, 16, 10))
    )
    assert one_at_a_place(chain).tolist() == [0, 2]
    assert one_at_a_place(Found.nothing()).tolist() == []


def test_thinning_all_images_at_once_is_thinning_each_by_itself():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 20, 600)
    corner = rng.random((600, 2)) * 40
    boxes = np.concatenate([corner, corner + 5 + rng.random((600, 2)) * 20], axis=1)
    many = Found(image, rng.integers(0, 3, 600), rng.random(600), boxes)
    kept: list[int] = []
    for row in np.argsort(-many.score).tolist():  # greedy, as it is defined
        others = [k for k in kept if image[k] == image[row]]
        sides = np.minimum(boxes[others, 2:], boxes[row, 2:])
        sides = np.clip(sides - np.maximum(boxes[others, :2], boxes[row, :2]), 0, None)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        shared = sides.prod(axis=1)
        if (shared / (areas[others] + areas[row] - shared) <= 0.5).all():
            kept.append(row)
    assert one_at_a_place(many).tolist() == sorted(kept)


def test_corrections_are_counted_of_what_might_be_there():
    said = found((1, 0, 0.19, NAN), (1, 0, 0.2, NAN), (1, 0, 0.7, NAN), (0, 0, 1.0, NAN))
    assert expected_corrections(said, images=3) == pytest.approx([0, 0.5, 0])


def test_of_classes_the_best_is_suggested_and_the_margin_says_how_sure():
    said = found((0, 0, 0.7, NAN), (0, 1, 0.2, NAN), (1, 1, 0.25, NAN), (1, 0, 0.24, NAN))
    images = Unlabelled(IDS, labels=("x", "y"), boxes=False, least_score=0.3, found=said)
    made = suggest("model", images, seed=0)
    assert made.objects.image.tolist() == [0]
    assert made.objects.label.tolist() == [0]
    assert made.uncertainty == pytest.approx([0.5, 0.99, 1])  # of c nothing is known


def directions(*angles: float) -> np.ndarray:
    return np.array([[np.cos(a), np.sin(a)] for a in angles], np.float32)


def test_the_nearest_labelled_images_vote():
    images = Unlabelled(
        IDS,
        labels=("x", "y"),
        boxes=False,
        least_score=0.6,
        embeddings=directions(0.0, 1.5, 0.75),
        labelled=directions(*np.linspace(0, 0.2, 10), *np.linspace(1.3, 1.5, 10), 0.7),
        classes=np.array([0] * 10 + [1] * 10 + [-1]),  # the nearest of c has no class
    )
    made = suggest("neighbours", images, seed=0)
    # ten votes of ten, and one that both share: (10 + 1/2) / 11
    assert made.objects.image.tolist() == [0, 1]
    assert made.objects.label.tolist() == [0, 1]
    assert made.objects.score == pytest.approx([10.5 / 11] * 2)
    assert made.uncertainty[:2] == pytest.approx([1 / 11] * 2)
    assert made.uncertainty[2] > 0.5
    assert np.isnan(made.objects.boxes).all()


def test_neighbours_say_what_they_cannot():
    boxes = Unlabelled(IDS, labels=("x",), boxes=True, least_score=0.3)
    with pytest.raises(PluginError, match="gives classes of whole images, and this project has"):
        suggest("neighbours", boxes, seed=0)
    none = Unlabelled(IDS, labels=("x",), boxes=False, least_score=0.3)
    with pytest.raises(PluginError, match="No image has a label yet"):
        suggest("neighbours", none, seed=0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("image=[9]", "objects of images that were not asked for"),
        ("label=[7]", "classes that the project does not have"),
        ("score=[1.5]", "confidences that are not between 0 and 1"),
        ("score=[float('nan')]", "confidences that are not between 0 and 1"),
        ("boxes=[[5, 5, 5, 9]]", "boxes that are empty, inverted or no numbers"),
        ("boxes=[[5, 5, float('nan'), 9]]", "boxes that are empty, inverted or no numbers"),
        ("score=[0.5, 0.6]", "arrays of the shapes"),
        ("uncertainty=[0.5]", r"uncertainties of the shape \(1,\) and not \(3,\)"),
        ("uncertainty=[0, 0, float('nan')]", "uncertainties that are no numbers, or negative"),
        ("uncertainty=None", "'bad' failed: TypeError"),
    ],
)
def test_what_a_plugin_returns_is_checked(install, changed, said):
    source = f"""
import numpy as np
from cv_pipeline.plugins.label import Found, Suggested

class Bad:
    needs = ()
    def __call__(self, images, *, seed):
        given = dict(image=[0], label=[0], score=[0.5], boxes=[[0, 0, 5, 5]], uncertainty=[0, 0, 0])
        given |= dict({changed})
        u = np.array(given.pop("uncertainty"), float) + 0 if {"None" not in changed} else None + 1
        return Suggested(Found(**{{k: np.array(v) for k, v in given.items()}}), u)
"""
    install("bad_label", source, label={"bad": "bad_label:Bad"})
    with pytest.raises(PluginError, match=said):
        suggest("bad", Unlabelled(IDS, labels=("x",), boxes=True, least_score=0.3), seed=0)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ("polygon([[(1, 1), (9, 1), (9, 9)]])", ""),
        ("polygon([[(1, 1), (99, 1), (9, 9)]])", r"a polygon that is none \(out_of_frame_shape\)"),
        ("Mask((4, 4), np.array([4, 12]))", r"a mask that is none \(size_mismatch\)"),
        ("keypoints([KeyPoint('nose', 1, 1)])", "unknown_point"),
        (
            "rotated_box((5, 5), (4, 2), 30)",
            "shapes of the kind rotated_box, where",
        ),
        ("[1, 2, 3]", "a shape that is list and not one of"),
    ],
)
def test_the_shapes_of_a_plugin_are_checked_and_have_their_bounds(install, shape, told):
    source = f"""
import numpy as np
from cv_pipeline.annotations.geometry import KeyPoint, Mask, keypoints, polygon, rotated_box
from cv_pipeline.plugins.label import Found, Suggested

class Shaped:
    needs = ()
    def __call__(self, images, *, seed):
        nan = np.full((1, 4), np.nan)
        zero = np.zeros(1, np.int64)
        return Suggested(Found(zero, zero, np.array([0.5]), nan, ({shape},)), np.zeros(3))
"""
    install("shaped_label", source, label={"shaped": "shaped_label:Shaped"})
    images = Unlabelled(
        IDS, labels=("x", "y"), boxes=True, least_score=0.3,
        kinds=("bbox", "polygon", "mask", "keypoints"), points={"x": ("tail",)},
        sizes=np.array([[20.0, 10.0]] * 3),
    )  # fmt: skip
    if told:
        with pytest.raises(PluginError, match=told):
            suggest("shaped", images, seed=0)
    else:
        assert suggest("shaped", images, seed=0).objects.boxes.tolist() == [[1, 1, 9, 9]]
