from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.detection.coco import IOU_THRESHOLDS, CocoEvaluation

LABELS = 3
fast = settings(max_examples=40, deadline=None)
scenes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "images": st.integers(1, 6),
        "objects": st.integers(0, 25),
        "detections": st.integers(0, 60),
    }
)


def pycocotools_precision(truth: Boxes, found: Detections, images: np.ndarray) -> np.ndarray:
    """(labels, 10) average precision over these images, by the reference implementation."""

    def rows(boxes: Boxes) -> list[dict[str, object]]:
        sizes = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
        return [
            {
                "id": n + 1,
                "image_id": int(boxes.image[n]),
                "category_id": int(boxes.label[n]),
                "bbox": [*boxes.xyxy[n, :2].tolist(), *sizes[n].tolist()],
                "area": float(sizes[n].prod()),
                "iscrowd": 0,
            }
            for n in range(len(boxes))
            if boxes.image[n] in images
        ]

    known, predicted = COCO(), COCO()
    shared = {
        "images": [{"id": int(i)} for i in images],
        "categories": [{"id": k} for k in range(LABELS)],
    }
    known.dataset = {**shared, "annotations": rows(truth)}
    scores = found.score[np.isin(found.image, images)].tolist()
    predicted.dataset = {
        **shared,
        "annotations": [r | {"score": s} for r, s in zip(rows(found), scores, strict=True)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        predicted.createIndex()
        reference = COCOeval(known, predicted, "bbox")
        reference.evaluate()
        reference.accumulate()
    precision = reference.eval["precision"][:, :, :, 0, -1].mean(axis=1).T
    return np.where(precision < 0, np.nan, precision)


class TestAveragePrecision:
    @fast
    @given(scene=scenes)
    def test_agrees_with_pycocotools(self, random_scene, scene):
        truth, found = random_scene(**scene, labels=LABELS)
        every = np.arange(scene["images"])
        ours = CocoEvaluation(truth, found, images=scene["images"], labels=LABELS)
        np.testing.assert_allclose(
            ours.average_precision(every),
            pycocotools_precision(truth, found, every),
            rtol=0,
            atol=1e-9,
        )

    @fast
    @given(scene=scenes, data=st.data())
    def test_of_a_subset_is_that_of_its_images_alone(self, random_scene, scene, data):
        truth, found = random_scene(**scene, labels=LABELS)
        ours = CocoEvaluation(truth, found, images=scene["images"], labels=LABELS)
        for _ in range(2):  # a subset leaves nothing behind for the next
            chosen = data.draw(st.sets(st.integers(0, scene["images"] - 1), min_size=1))
            images = np.array(sorted(chosen))
            np.testing.assert_allclose(
                ours.average_precision(images),
                pycocotools_precision(truth, found, images),
                rtol=0,
                atol=1e-9,
            )

    def test_on_many_objects(self, random_scene):
        truth, found = random_scene(1, images=50, labels=LABELS, objects=600, detections=2500)
        found = found.strongest(100)
        every = np.arange(50)
        ours = CocoEvaluation(truth, found, images=50, labels=LABELS).average_precision(every)
        reference = pycocotools_precision(truth, found, every)
        np.testing.assert_allclose(ours, reference, rtol=0, atol=1e-9)
        assert 0.1 < np.nanmean(ours) < 0.9
        assert np.nanmean(ours) == pytest.approx(np.nanmean(reference), abs=1e-9)

    def test_no_images(self, random_scene):
        truth, found = random_scene(1, images=2, labels=LABELS, objects=5, detections=5)
        ours = CocoEvaluation(truth, found, images=2, labels=LABELS)
        assert np.isnan(ours.average_precision(np.array([], dtype=np.int64))).all()

    def test_an_object_of_any_size_counts(self):
        huge = Boxes(np.array([0]), np.array([0]), np.array([[0.0, 0.0, 2e5, 2e5]]))
        found = Detections(huge.image, huge.label, huge.xyxy, np.array([0.9]))
        ours = CocoEvaluation(huge, found, images=1, labels=1)
        assert ours.average_precision(np.array([0])) == pytest.approx(np.ones((1, 10)))

    def test_thresholds_are_those_of_pycocotools(self):
        assert COCOeval(iouType="bbox").params.iouThrs == pytest.approx(IOU_THRESHOLDS, abs=0)


class TestMatches:
    @fast
    @given(scene=scenes)
    def test_each_object_is_matched_once_by_its_class(self, random_scene, scene):
        truth, found = random_scene(**scene, labels=LABELS)
        match = CocoEvaluation(truth, found, images=scene["images"], labels=LABELS).matches()
        hit = np.flatnonzero(match >= 0)
        assert len(np.unique(match[hit])) == len(hit)
        assert (truth.label[match[hit]] == found.label[hit]).all()
        assert (truth.image[match[hit]] == found.image[hit]).all()
        a, b = truth.xyxy[match[hit]], found.xyxy[hit]
        sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
        overlap = sides.clip(0).prod(axis=1)
        areas = [(c[:, 2:] - c[:, :2]).prod(axis=1) for c in (a, b)]
        assert (overlap / (areas[0] + areas[1] - overlap) >= 0.5 - 1e-12).all()

    @fast
    @given(scene=scenes, score=st.floats(0, 1))
    def test_weak_detections_do_not_change_the_matches_of_strong_ones(
        self, random_scene, scene, score
    ):
        truth, found = random_scene(**scene, labels=LABELS)
        strong = found.score >= score
        match = CocoEvaluation(truth, found, images=scene["images"], labels=LABELS).matches()
        alone = CocoEvaluation(truth, found.take(strong), images=scene["images"], labels=LABELS)
        assert (match[strong] == alone.matches()).all()
