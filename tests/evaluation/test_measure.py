"""Counts add up to what the scorers measure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.evaluation.classification.answers import Answers
from cv_pipeline.evaluation.classification.scorer import ClassificationScorer
from cv_pipeline.evaluation.detection.boxes import Boxes, Detections
from cv_pipeline.evaluation.detection.scorer import DetectionScorer
from cv_pipeline.evaluation.measure import Counts, Scorer

LABELS = ("a", "b", "c")


def test_a_row_for_each_image_and_class_with_anything() -> None:
    counts = Counts.of(
        objects=(np.array([2, 0, 0]), np.array([1, 0, 0])),
        predicted=(np.array([0, 2, 1]), np.array([0, 2, 1])),
        right=np.array([True, False, False]),
        labels=3,
    )
    rows = zip(*(getattr(counts, name).tolist() for name in counts.__annotations__), strict=True)
    # image, label, objects, found, predicted
    assert list(rows) == [(0, 0, 2, 1, 1), (1, 1, 0, 0, 1), (2, 1, 1, 0, 0), (2, 2, 0, 0, 1)]


@pytest.mark.parametrize("seed", range(5))
def test_those_of_detections_are_their_recall_and_precision(
    random_scene: Callable[..., tuple[Boxes, Detections]], seed: int
) -> None:
    truth, found = random_scene(seed, images=6, labels=3, objects=30, detections=60)
    check(DetectionScorer(truth, found, images=6, labels=LABELS, score=0.3), images=6)


@settings(deadline=None)  # the first call imports scikit-learn
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=8))
def test_those_of_answers_are_their_recall_and_precision(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = np.array(pairs).T
    score = np.full(len(pairs), 0.5)
    answers = Answers(truth, predicted, score, score)
    check(ClassificationScorer(answers, labels=LABELS), images=len(pairs))


def check(scorer: Scorer, *, images: int) -> None:
    """Of all images, and of every other one."""
    counts = scorer.counts()
    for chosen in (np.arange(images), np.arange(0, images, 2)):
        measured = {(m.label, m.metric): m.value for m in scorer.measure(chosen)}
        here = np.isin(counts.image, chosen)
        for k, label in enumerate(LABELS):
            objects, found, predicted = (
                int(column[here & (counts.label == k)].sum())
                for column in (counts.objects, counts.found, counts.predicted)
            )
            if objects:
                assert measured[label, "recall"] == pytest.approx(found / objects)
                expected = found / predicted if predicted else None
                assert measured[label, "precision"] == pytest.approx(expected)
