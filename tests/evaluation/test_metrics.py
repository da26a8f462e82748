from __future__ import annotations

import subprocess
import sys

import pytest

from cv_pipeline.evaluation import classification_metrics, detection_metrics

LABELS = ("apple", "orange", "tomato")
BOX = (10.0, 10.0, 30.0, 30.0)
FAR = (60.0, 60.0, 80.0, 80.0)


def test_detection(images_of, annotations_of, predictions_of):
    made = detection_metrics(
        annotations_of(("a", "apple", BOX), ("b", "tomato", FAR)),
        predictions_of(("a", "apple", 0.9, BOX), ("b", "orange", 0.8, FAR)),
        images=images_of("a", "b", "c"),
        labels=LABELS,
    )
    assert made.overall == {
        "AP": 0.5,
        "AP50": 0.5,
        "AP75": 0.5,
        "recall": 0.5,
        "precision": 0.5,
        "f1": 0.5,
    }
    assert set(made.classes) == {"apple", "tomato"}
    assert made.classes["apple"]["AP"] == 1.0
    assert (made.images, made.objects) == (3, 2)
    assert "score ≥ 0.5, at IoU 0.50" in made.conventions["operating_point"]
    assert "100 highest-scored per image and class" in made.conventions["max_detections"]


def test_detection_without_ground_truth_has_no_ap(images_of, annotations_of, predictions_of):
    made = detection_metrics(
        annotations_of(),
        predictions_of(("a", "apple", 0.9, BOX)),
        images=images_of("a"),
        labels=LABELS,
    )
    assert made.overall == {"precision": 0.0, "f1": 0.0}
    assert made.classes == {}


def test_classification(images_of, annotations_of, predictions_of):
    made = classification_metrics(
        annotations_of(("a", "apple"), ("b", "tomato")),
        predictions_of(("a", "apple", 0.9), ("b", "orange", 0.8)),
        images=images_of("a", "b", "c"),
        labels=LABELS,
    )
    assert made.overall == {"accuracy": 0.5, "macro_f1": 0.5, "recall": 0.5, "precision": 1.0}
    assert made.classes["tomato"] == {"recall": 0.0, "f1": 0.0}
    assert (made.images, made.objects) == (2, 2)


@pytest.mark.parametrize("module", ["cv_pipeline.evaluation", "cv_pipeline.monitoring"])
def test_importing_is_light(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "sklearn", "scipy", "mlflow", "lightning", "faster_coco_eval"} & set(
        loaded
    )
