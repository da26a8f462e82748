from __future__ import annotations

import numpy as np

from cv_pipeline.evaluation.detection.boxes import Boxes, Detections


def detections(image, label, score) -> Detections:
    xyxy = np.arange(4.0 * len(image)).reshape(-1, 4)
    return Detections(np.array(image), np.array(label), xyxy, np.array(score, dtype=float))


def test_of_images_counts_images_anew():
    boxes = Boxes(np.array([0, 2, 1, 2]), np.array([0, 1, 2, 3]), np.zeros((4, 4)))
    kept = boxes.of_images(np.array([True, False, True]))
    assert kept.image.tolist() == [0, 1, 1]
    assert kept.label.tolist() == [0, 1, 3]


def test_strongest_is_per_image_and_class_and_keeps_the_order():
    found = detections([0, 0, 0, 0, 1], [0, 0, 1, 0, 0], [0.1, 0.5, 0.2, 0.9, 0.3])
    kept = found.strongest(2)
    assert kept.score.tolist() == [0.5, 0.2, 0.9, 0.3]


def test_strongest_takes_the_first_of_equal_scores():
    kept = detections([0, 0, 0], [0, 0, 0], [0.5, 0.5, 0.5]).strongest(2)
    assert kept.xyxy[:, 0].tolist() == [0.0, 4.0]


def test_strongest_of_none():
    assert len(detections([], [], []).strongest(3)) == 0
