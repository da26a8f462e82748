"""What is too good to be true, and what is merely good."""

from __future__ import annotations

import numpy as np
import pytest

from cv_pipeline.datasets.verdict import Verdict
from cv_pipeline.evaluation.measure import Counts
from cv_pipeline.evaluation.slicing.facts import Fact, Value
from cv_pipeline.evaluation.slicing.ratios import Sums
from cv_pipeline.evaluation.suspicion import better_than_train, near_perfect, property_alone

VERDICTS = (
    Verdict("leakage", True, "error", "No picture is in two splits."),
    Verdict("giveaway", False, "warn", "camera gives a label away."),
)


@pytest.mark.parametrize(
    ("value", "images", "suspected"),
    [(0.995, 100, True), (0.98, 100, False), (1.0, 29, False), (None, 100, False)],
)
def test_near_perfect(value, images, suspected):
    found = near_perfect(metric="AP50", value=value, split="test", images=images, verdicts=VERDICTS)
    assert bool(found) == suspected
    if found:
        assert found[0].sentence.startswith("AP50 is 0.9950 on 100 images of test:")
        # what failed comes first, and what passed last
        assert [(c.check, c.passed) for c in found[0].checks] == [
            ("giveaway", False),
            ("group_leakage", None),
            ("time_leakage", None),
            ("split_drift", None),
            ("leakage", True),
        ]
        assert found[0].do.startswith("Run: cvp checks PROJECT giveaway. Then divide anew")


def right(share: float) -> Sums:
    found = np.zeros(200)
    found[: round(share * 200)] = 1
    return Sums.of(found, np.ones(200))


@pytest.mark.parametrize(
    ("train", "test", "suspected"), [(0.7, 0.9, True), (0.8, 0.82, False), (0.9, 0.7, False)]
)
def test_better_than_train(train, test, suspected):
    sums = {"train": right(train), "test": right(test)}
    found = better_than_train(sums, split="test", what="accuracy", verdicts=VERDICTS)
    assert bool(found) == suspected
    if found:
        assert "accuracy is 0.900 on test and 0.700 on the training images" in found[0].sentence


def test_without_training_images_nothing_is_better():
    assert not better_than_train({"test": right(1)}, split="test", what="F1", verdicts=())


@pytest.mark.parametrize(
    ("model", "agrees", "suspected"),
    [
        (0.9, 0.95, True),  # the camera says it as well as the model
        (0.99, 0.9, False),  # the model knows more
        (0.5, 0.5, False),  # neither knows anything
    ],
)
def test_a_property_alone(model, agrees, suspected):
    rng = np.random.default_rng(0)
    size = 1000
    shown = rng.random(size) < 0.5
    said = np.where(rng.random(size) < model, shown, ~shown)
    camera = np.where(rng.random(size) < agrees, shown, ~shown).astype(np.int32)
    image = np.flatnonzero(shown | said)
    counts = Counts(
        image,
        np.zeros(len(image), dtype=np.int64),
        shown[image].astype(np.int64),
        (shown & said)[image].astype(np.int64),
        said[image].astype(np.int64),
    )
    fact = Fact("camera", camera, (Value("a", "camera = a", ""), Value("b", "camera = b", "")))
    found = property_alone(counts, [fact], images=size, labels=("banana",), verdicts=VERDICTS)
    assert bool(found) == suspected
    if found:
        assert found[0].sentence.startswith("camera alone says on 95")
        assert [c.check for c in found[0].checks] == ["giveaway", "representation"]


def test_a_value_of_one_image_gives_nothing_away():
    """A serial number tells each image from all others, and nothing about any of them."""
    size = 40
    image = np.arange(20)
    one = np.ones(20, dtype=np.int64)
    counts = Counts(image, 0 * image, one, 0 * one, 0 * one)
    serial = Fact("serial", np.arange(size, dtype=np.int32), tuple([Value("", "", "")] * size))
    assert not property_alone(counts, [serial], images=size, labels=("banana",), verdicts=())
