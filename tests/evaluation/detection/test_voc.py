from __future__ import annotations

import numpy as np
import pytest

from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.detection.overlap import box_pairs
from cv_pipeline.evaluation.detection.voc import ELEVEN_POINTS, voc_ranking


def both(truth: Boxes, found: Detections, *, labels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    ranking = voc_ranking(truth, found, pairs=box_pairs(truth, found), labels=labels)
    return ranking.average_precision(points=ELEVEN_POINTS)[:, 0], ranking.area()[:, 0]


def test_published_worked_example():
    """Padilla, Netto and da Silva, "A Survey on Performance Metrics for Object-Detection
    Algorithms" (IWSSIP 2020): 24 detections of 15 objects; AP 26.84 % with 11 points and 24.56 %
    with all.
    """
    right = "1010000001011100000000" + "10"
    score = [95, 95, 91, 88, 84, 80, 78, 74, 71, 70, 67, 62, 54, 48, 45, 45, 44, 44, 43, 38, 35, 23]
    score += [18, 14]
    corner = np.arange(15.0) * 20
    truth = Boxes(
        np.zeros(15, np.int64),
        np.zeros(15, np.int64),
        np.stack([corner, corner, corner + 10, corner + 10], axis=1),
    )
    hit = np.array([mark == "1" for mark in right])
    place = np.where(hit, np.cumsum(hit) - 1, 14)
    far = np.where(hit, 0, 1000)[:, None]
    zeros = np.zeros(24, np.int64)
    found = Detections(zeros, zeros, truth.xyxy[place] + far, np.array(score) / 100)
    eleven, area = both(truth, found)
    assert eleven[0] == pytest.approx(0.2684, abs=1e-4)
    assert area[0] == pytest.approx(0.2456, abs=1e-4)


def naive(truth: Boxes, found: Detections, label: int) -> tuple[float, float]:
    """By the text of the development kit, one detection after another."""
    mine = [n for n in range(len(truth)) if truth.label[n] == label and not truth.crowd[n]]
    rows = [n for n in range(len(found)) if found.label[n] == label]
    rows.sort(key=lambda n: (-found.score[n], found.image[n], n))
    taken: set[int] = set()
    hits = []
    for n in rows:
        best, best_iou = -1, 0.0
        for t in range(len(truth)):
            if truth.label[t] != label or truth.image[t] != found.image[n]:
                continue
            a, b = truth.xyxy[t], found.xyxy[n]
            wide, high = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
            if wide <= 0 or high <= 0:
                continue
            shared = wide * high
            own = found.area[n]
            iou = shared / (own if truth.crowd[t] else own + truth.area[t] - shared)
            if iou > best_iou:
                best, best_iou = t, iou
        if best_iou >= 0.5 and truth.crowd[best]:
            continue
        hits.append(best_iou >= 0.5 and best not in taken)
        if hits[-1]:
            taken.add(best)
    if not mine:
        return np.nan, np.nan
    recalls, precisions = [0.0], [0.0]
    for n in range(len(hits)):
        recalls.append(sum(hits[: n + 1]) / len(mine))
        precisions.append(sum(hits[: n + 1]) / (n + 1))
    eleven = np.mean(
        [
            max((p for r, p in zip(recalls, precisions, strict=True) if r >= t), default=0.0)
            for t in np.linspace(0, 1, 11)
        ]
    )
    area = sum((recalls[n] - recalls[n - 1]) * max(precisions[n:]) for n in range(1, len(recalls)))
    return float(eleven), float(area)


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_a_naive_reading_of_the_rules(random_scene, seed):
    truth, found = random_scene(seed, images=6, labels=3, objects=40, detections=120)
    crowd = np.random.default_rng(seed).random(len(truth)) < 0.1
    truth = Boxes(truth.image, np.minimum(truth.label, 1), truth.xyxy, crowd=crowd)
    eleven, area = both(truth, found, labels=3)
    expected = [naive(truth, found, k) for k in range(3)]
    assert eleven == pytest.approx([e for e, _ in expected], abs=1e-12, nan_ok=True)
    assert area == pytest.approx([a for _, a in expected], abs=1e-12, nan_ok=True)
    assert np.isnan(area[2])


def test_a_detection_whose_object_is_taken_finds_no_other():
    """COCO would give it the second best."""
    box = np.array([[0.0, 0, 10, 10], [0, 0, 10, 7]])
    truth = Boxes(np.zeros(2, np.int64), np.zeros(2, np.int64), box)
    same = Detections(truth.image, truth.label, box[[0, 0]], np.array([0.9, 0.8]))
    eleven, area = both(truth, same)
    assert area[0] == 0.5
    assert eleven[0] == pytest.approx(6 / 11)


def test_nothing_found():
    truth = Boxes(np.zeros(1, np.int64), np.zeros(1, np.int64), np.array([[0.0, 0, 10, 10]]))
    none = np.empty(0, np.int64)
    assert both(truth, Detections(none, none, np.empty((0, 4)), np.empty(0)))[1].tolist() == [0.0]
