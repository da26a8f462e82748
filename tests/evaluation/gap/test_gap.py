"""Bias, variance and shift, on splits whose images are known to be alike or not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.catalog.query.nodes import Field
from cv_pipeline.evaluation.gap.gap import read_gap
from cv_pipeline.evaluation.gap.likeness import Images, likeness, looks_of
from cv_pipeline.evaluation.slicing.facts import Column
from cv_pipeline.evaluation.slicing.ratios import Sums

SIZE = 400


def images(seed: int, *, brightness: float = 0.5, looks: float = 0.0, size: int = SIZE) -> Images:
    rng = np.random.default_rng(seed)
    values = rng.normal(brightness, 0.1, size)
    camera = rng.choice(["left", "right"], size)
    features = rng.normal(0, 1, (size, 8))
    # a difference in how two features go together, which neither has by itself
    features[:, 1] += looks * features[:, 0]
    features[:, 1] /= np.hypot(1, looks)
    return Images(
        columns={
            "brightness": Column(pa.array(values), Field("brightness")),
            "camera": Column(pa.array(camera), Field("metadata", key="camera")),
        },
        looks=np.column_stack([values, features, features[:, 0] * features[:, 1]]),
        unit=np.arange(size) + seed * 10_000,
    )


def right(share: float, size: int = SIZE) -> Sums:
    found = np.zeros(size)
    found[: round(share * size)] = 1
    return Sums.of(found, np.ones(size))


ALIKE = {"train": images(0), "val": images(1), "test": images(2)}


@pytest.mark.parametrize(
    ("shares", "kinds", "words"),
    [
        ({"train": 0.6, "val": 0.6, "test": 0.59}, ["none", "none"], "training images already"),
        ({"train": 0.95, "val": 0.8, "test": 0.8}, ["variance", "none"], "comes from train to val"),
        ({"train": 0.95, "val": 0.94, "test": 0.8}, ["none", "overfitting"], "Overfitting to val"),
        ({"train": 0.7, "val": 0.9, "test": 0.9}, ["better", "none"], "does not explain"),
    ],
)
def test_of_images_that_are_alike(shares, kinds, words):
    gap = read_gap("1 - accuracy", {s: right(v) for s, v in shares.items()}, ALIKE)
    assert [e.error for e in gap.errors] == pytest.approx([1 - v for v in shares.values()])
    assert all(e.low <= e.error <= e.high for e in gap.errors)
    assert [s.kind for s in gap.steps] == kinds
    assert all(s.alike for s in gap.steps)
    assert words in " ".join(gap.reading)


def test_most_of_the_error_may_come_from_the_last_step():
    gap = read_gap(
        "1 - accuracy", {"train": right(0.95), "val": right(0.94), "test": right(0.8)}, ALIKE
    )
    assert gap.reading[-1] == "Most of the error (0.140) comes from val to test."
    assert "bias" not in " ".join(gap.reading)


def test_a_gap_between_images_that_differ_is_no_variance():
    differ = {"train": images(0), "val": images(1, brightness=0.35)}
    gap = read_gap("1 - F1", {"train": right(0.95), "val": right(0.8)}, differ)
    (step,) = gap.steps
    assert (step.kind, step.alike, step.properties) == ("shift", False, ("brightness",))
    assert "val images differ in brightness, so that this is not to be called variance" in str(
        gap.reading
    )


def test_without_training_images_it_says_so():
    gap = read_gap("1 - F1", {"val": right(0.8), "test": right(0.8)}, ALIKE)
    assert [(s.before, s.after) for s in gap.steps] == [("val", "test")]
    assert "bias and variance cannot be told apart" in gap.reading[1]


def test_of_nothing():
    gap = read_gap("1 - F1", {"val": Sums.of(np.zeros(3), np.zeros(3))}, {"val": images(0)})
    assert gap.reading == ("No predicted split has ground truth.",)


def test_a_classifier_sees_what_no_property_shows():
    found = likeness(images(0, size=1500), images(1, looks=3.0, size=1500))
    assert (found.alike, found.properties) == (False, ())
    assert found.told_apart is not None
    assert found.told_apart > 0.6


def test_alike_images_are_seldom_told_apart():
    apart = [
        not likeness(images(2 * n, size=150), images(2 * n + 1, size=150)).alike for n in range(20)
    ]
    assert sum(apart) <= 1


def test_images_that_belong_together_do_not_pass_for_a_difference():
    """A burst of one picture 20 times over is one picture, whatever split it is in."""
    rng = np.random.default_rng(0)

    def bursts(first: int) -> Images:
        looks = np.repeat(rng.normal(0, 1, (15, 20)), 20, axis=0)
        return Images(columns={}, looks=looks, unit=np.repeat(np.arange(15) + first, 20))

    assert likeness(bursts(0), bursts(15)).alike


def test_a_split_that_is_one_burst_is_not_tried():
    rng = np.random.default_rng(0)
    many = Images({}, rng.normal(0, 1, (60, 4)), np.arange(60))
    one = Images({}, rng.normal(0, 1, (60, 4)), np.full(60, 99))
    assert likeness(many, one).told_apart is None
    few = Images({}, rng.normal(0, 1, (63, 4)), np.repeat([100, 101, 102], 21))
    assert likeness(few, many).alike


def test_few_images_are_not_tried():
    found = likeness(images(0, size=8), images(1, size=8))
    assert (found.alike, found.told_apart, found.p_value) == (True, None, None)


def test_looks_are_numbers_and_unknown_ones_are_nan():
    measures = pa.table({"image_id": ["a", "c"], "hue": [1.0, 3.0]})
    lists = pa.table(
        {
            "image_id": ["a", "b"],
            "descriptor": pa.array([[1, 2], [3, 4]], pa.list_(pa.float32(), 2)),
        }
    )
    made = looks_of(pa.array(["a", "b", "c"]), [(measures, "hue"), (lists, "descriptor")])
    nan = np.nan
    np.testing.assert_array_equal(made, [[1, 1, 2], [nan, 3, 4], [3, nan, nan]])


def test_what_is_unknown_of_half_the_images_tells_no_splits_apart():
    """Were it the mean of its own split, it would say which split an image is of."""
    rng = np.random.default_rng(3)
    splits = []
    for _ in range(2):
        looks = rng.normal(0, 1, (400, 1))
        looks[::2] = np.nan
        splits.append(looks)
    found = likeness(
        Images({}, splits[0], np.arange(400)), Images({}, splits[1], np.arange(400, 800))
    )
    assert found.alike
    unknown = likeness(
        Images({}, np.full((60, 2), np.nan), np.arange(60)),
        Images({}, np.full((60, 2), np.nan), np.arange(60, 120)),
    )
    assert unknown.told_apart is None
