from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation.resampling import Resampling
from cv_pipeline.evaluation.segmentation.metrics import (
    CLASS_METRICS,
    CONVENTIONS,
    METRICS,
    SegmentationMetrics,
    segmentation_metrics,
)

FEW = Resampling(resamples=20)
VOID = 255


def measured(truth, predicted, **options) -> SegmentationMetrics:
    """Of arrays (images, height, width)."""
    pairs = ((f"i{n}", t, p) for n, (t, p) in enumerate(zip(truth, predicted, strict=True)))
    return segmentation_metrics(pairs, resampling=FEW, **options)


def drawn(seed: int = 0, *, images: int = 6, classes: int = 5, void: float = 0.0):
    """Smooth-free random label images; a class fewer in the ground truth than is predicted."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes - 1, (images, 20, 30))
    predicted = np.where(
        rng.random(truth.shape) < 0.7, truth, rng.integers(0, classes, truth.shape)
    )
    return np.where(rng.random(truth.shape) < void, VOID, truth), predicted


def test_by_hand():
    # background and one object of four pixels, of which two are found and one is invented
    truth = np.array([[[0, 0, 0, 0], [1, 1, 1, 1]]])
    predicted = np.array([[[0, 0, 0, 1], [0, 0, 1, 1]]])
    made = measured(truth, predicted, labels=("background", "object"))
    assert {m: i.value for m, i in made.classes["object"].items()} == pytest.approx(
        {"IoU": 2 / 5, "Dice": 4 / 7, "recall": 2 / 4, "precision": 2 / 3}
    )
    assert {m: i.value for m, i in made.metrics.items()} == pytest.approx(
        {
            "mIoU": (3 / 6 + 2 / 5) / 2,
            "Dice": (6 / 9 + 4 / 7) / 2,
            "fwIoU": (4 * 3 / 6 + 4 * 2 / 5) / 8,
            "pixel_accuracy": 5 / 8,
            "mean_accuracy": (3 / 4 + 2 / 4) / 2,
        }
    )
    assert made.confusion == {
        ("background", "background"): 3,
        ("background", "object"): 1,
        ("object", "background"): 2,
        ("object", "object"): 2,
    }


@pytest.mark.parametrize("void", [0.0, 0.2])
def test_agrees_with_torchmetrics(void):
    import torch
    from torchmetrics.functional.classification import (
        multiclass_accuracy,
        multiclass_jaccard_index,
    )

    truth, predicted = drawn(void=void)
    made = measured(truth, predicted, ignore=VOID)
    said, true = torch.from_numpy(predicted), torch.from_numpy(truth)
    options = {"num_classes": 5, "ignore_index": VOID}
    for metric, average in (("mIoU", "macro"), ("fwIoU", "weighted")):
        known = multiclass_jaccard_index(said, true, average=average, **options)
        assert made.metrics[metric].value == pytest.approx(float(known), abs=1e-6)
    per_class = multiclass_jaccard_index(said, true, average="none", **options)
    assert [c["IoU"].value for c in made.classes.values()] == pytest.approx(
        per_class.tolist(), abs=1e-6
    )
    known = multiclass_accuracy(said, true, average="micro", **options)
    assert made.metrics["pixel_accuracy"].value == pytest.approx(float(known), abs=1e-6)


def test_dice_agrees_with_torchmetrics():
    import torch
    from torchmetrics.functional.segmentation import dice_score

    truth, predicted = drawn()
    known = dice_score(
        torch.from_numpy(predicted).reshape(1, -1),
        torch.from_numpy(truth).reshape(1, -1),
        num_classes=5,
        average="none",
        input_format="index",
    )[0]
    made = measured(truth, predicted)
    assert [c["Dice"].value for c in made.classes.values()] == pytest.approx(
        known.tolist(), abs=1e-6
    )
    assert made.metrics["Dice"].value == pytest.approx(float(known.mean()), abs=1e-6)


def test_a_class_that_is_nowhere_is_left_out_and_said_so():
    made = measured(*drawn(), labels=("a", "b", "c", "d", "e", "never"))
    assert list(made.classes) == list("abcde")
    assert "recall" not in made.classes["e"]  # only predicted
    assert made.notes == (
        "Neither in the ground truth nor predicted, and so left out of the means: never.",
    )


def test_ignored_pixels_are_counted_apart():
    truth = np.array([[[0, VOID, 1, 1]]])
    predicted = np.array([[[0, 1, 1, VOID]]])
    made = measured(truth, predicted, ignore=VOID)
    assert (made.pixels, made.ignored) == (3, 1)
    assert made.metrics["pixel_accuracy"].value == pytest.approx(2 / 3)
    assert made.classes["1"]["precision"].value == 1.0
    assert made.classes["1"]["IoU"].value == 0.5
    assert made.confusion["1", None] == 1


def test_numbers_of_sixteen_bits_are_classes_too():
    truth = np.array([[[0, 40_000, 40_000]]])
    made = measured(truth, np.array([[[0, 40_000, 3]]]))
    assert list(made.classes) == ["0", "3", "40000"]
    assert made.classes["40000"]["IoU"].value == 0.5


def test_intervals_come_from_the_images_and_repeat():
    many = measured(*drawn(images=40))
    again = measured(*drawn(images=40))
    assert many == again
    for interval in many.metrics.values():
        assert interval.low < interval.value < interval.high
    alike = measured(np.repeat(drawn()[0][:1], 5, axis=0), np.repeat(drawn()[1][:1], 5, axis=0))
    assert alike.metrics["mIoU"].high - alike.metrics["mIoU"].low < 1e-12


def test_one_image_is_defined_and_said_so():
    made = measured(*drawn(images=1))
    assert made.notes == ("There is one image only, so the intervals say nothing.",)


@given(
    arrays(np.int64, (3, 4, 4), elements=st.integers(0, 3)),
    arrays(np.int64, (3, 4, 4), elements=st.integers(0, 3)),
)
def test_properties(truth, predicted):
    made = measured(truth, predicted)
    assert sum(made.confusion.values()) == truth.size
    assert made.metrics["pixel_accuracy"].value == pytest.approx((truth == predicted).mean())
    for of_class in made.classes.values():
        iou, dice = of_class["IoU"].value, of_class["Dice"].value
        assert dice == pytest.approx(2 * iou / (1 + iou))
    same = measured(truth, truth)
    assert {i.value for i in same.metrics.values()} == {1.0}
    turned = measured(predicted, truth)
    assert turned.metrics["mIoU"].value == pytest.approx(made.metrics["mIoU"].value)


@pytest.mark.parametrize(
    ("truth", "predicted", "options", "message"),
    [
        ([[7]], [[0]], {"labels": ("a", "b")}, "of 'i0' have pixels of the class 7, where classes"),
        ([[0]], [[7]], {"labels": ("a", "b")}, "are 0 to 1"),
        ([[-1]], [[0]], {}, "have pixels of the class -1, where classes are numbers from 0"),
        ([[VOID]], [[0]], {"ignore": VOID}, "No pixel of the ground truth has a class"),
        ([[0]], [[0]], {"labels": ("a", "a")}, "The class 'a' is named 2 times"),
    ],
)
def test_what_cannot_be_compared(truth, predicted, options, message):
    with pytest.raises(EvaluationError, match=message):
        measured(np.array([truth]), np.array([predicted]), **options)


def test_no_images():
    with pytest.raises(EvaluationError, match="No pixel"):
        segmentation_metrics([])


def test_every_metric_has_its_convention():
    told = " ".join([*CONVENTIONS, *CONVENTIONS.values()])
    assert [m for m in (*METRICS, "IoU", "Dice") if m not in told] == []
    assert set(CLASS_METRICS) == set(measured(*drawn()).classes["0"])
