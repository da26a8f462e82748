from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from cv_pipeline.evaluation.detection import overlap
from cv_pipeline.evaluation.detection.boxes import Boxes
from cv_pipeline.evaluation.detection.overlap import box_pairs


def as_rows(pairs: overlap.Pairs) -> list[tuple[int, int, float]]:
    return list(
        zip(pairs.detection.tolist(), pairs.truth.tolist(), pairs.iou.tolist(), strict=True)
    )


def test_are_all_pairs_of_an_image_from_a_tenth_on(random_scene):
    truth, found = random_scene(1, images=5, labels=3, objects=30, detections=60)
    crowd = np.arange(30) % 4 == 0
    truth = Boxes(truth.image, truth.label, truth.xyxy, crowd=crowd)
    xywh = [np.hstack([b.xyxy[:, :2], b.sizes]) for b in (found, truth)]
    iou = coco_mask.iou(*xywh, crowd.astype(int).tolist())  # to the bit
    expected = [
        (d, t, iou[d, t])
        for d in range(60)
        for t in range(30)
        if found.image[d] == truth.image[t] and iou[d, t] >= 0.1
    ]
    assert as_rows(box_pairs(truth, found)) == expected
    assert len(expected) > 60


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_do_not_depend_on_how_many_are_worked_out_at_a_time(random_scene, monkeypatch, chunk):
    truth, found = random_scene(2, images=8, labels=2, objects=40, detections=50)
    whole = as_rows(box_pairs(truth, found))
    monkeypatch.setattr(overlap, "_CHUNK", chunk)
    assert as_rows(box_pairs(truth, found)) == whole


def test_of_nothing(random_scene):
    truth, found = random_scene(2, images=8, labels=2, objects=40, detections=50)
    none = np.empty(0, dtype=np.int64)
    assert len(box_pairs(truth.take(none), found)) == 0
    assert len(box_pairs(truth, found.take(none))) == 0
    assert len(box_pairs(truth.take(none), found.take(none))) == 0
