from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from cv_pipeline.catalog.schemas.confusion import CONFUSION
from cv_pipeline.catalog.schemas.curves import CURVES
from cv_pipeline.catalog.schemas.matches import MATCHES
from cv_pipeline.evaluation.error_analysis.charts import (
    confusion_chart,
    correctness_chart,
    curve_chart,
    errors_chart,
    reliability_chart,
)

LABELS = ("a $name$ that is far too long to be shown", "tomato", "<b>")


def confusion(classes: int) -> pa.Table:
    rows = [
        {"split": "test", "truth": str(i), "predicted": str((i * 7) % classes), "count": i + 1}
        for i in range(classes)
    ]
    return pa.Table.from_pylist(rows, schema=CONFUSION)


def picture(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def margins_are_white(png: bytes) -> bool:
    """Nothing is cut off where the outermost pixels are all white."""
    edges = picture(png)
    return all((side == 255).all() for side in (edges[0], edges[-1], edges[:, 0], edges[:, -1]))


@pytest.mark.parametrize("classes", [1, 3, 60])
def test_confusion_of_few_and_many_classes(classes):
    png = confusion_chart(confusion(classes), split="test", labels=[str(n) for n in range(classes)])
    assert margins_are_white(png)
    assert max(picture(png).shape) < 1500


def test_names_of_any_kind_are_drawn():
    rows = [
        {"split": "test", "truth": LABELS[0], "predicted": LABELS[1], "count": 123456},
        {"split": "test", "truth": None, "predicted": LABELS[2], "count": 1},
        {"split": "val", "truth": LABELS[2], "predicted": None, "count": 5},
    ]
    table = pa.Table.from_pylist(rows, schema=CONFUSION)
    png = confusion_chart(table, split="test", labels=LABELS)
    assert margins_are_white(png)
    # the same numbers give the same picture, others another one
    assert confusion_chart(table, split="test", labels=LABELS) == png
    assert confusion_chart(table, split="val", labels=LABELS) != png


@pytest.mark.parametrize("cost", [None, 0.25])
def test_kinds_of_error(cost):
    png = errors_chart({"missed": (7, cost), "background": (0, cost)}, split="test")
    assert margins_are_white(png)


def test_correctness_by_score():
    rows = [
        dict.fromkeys(MATCHES.names)
        | {"image_id": "a", "split": "test", "score": score, "kind": kind}
        for score, kind in ((0.05, "background"), (1.0, "correct"), (None, "missed"))
    ]
    full = correctness_chart(pa.Table.from_pylist(rows, schema=MATCHES), split="test")
    empty = correctness_chart(MATCHES.empty_table(), split="test")
    assert margins_are_white(full)
    assert margins_are_white(empty)
    assert full != empty


def test_precision_against_recall():
    rows = [
        {"split": "test", "label": label, "score": s, "recall": 1 - s, "precision": s, "f1": 0.5}
        for label in (None, "tomato")
        for s in (0.9, 0.5, 0.1)
    ]
    full = curve_chart(pa.Table.from_pylist(rows, schema=CURVES), split="test", labels=LABELS)
    assert margins_are_white(full)
    assert full != curve_chart(CURVES.empty_table(), split="test", labels=LABELS)


def test_reliability():
    bars = [(0.05, 0.0, 12345), (0.95, 1.0, 1)]
    full = reliability_chart(bars, of="scores of detections", split="test")
    empty = reliability_chart([], of="scores of detections", split="test")
    assert margins_are_white(full)
    assert margins_are_white(empty)
    assert full != empty
