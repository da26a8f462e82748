from __future__ import annotations

import numpy as np
import pytest

from cv_pipeline.evaluation.classification.answers import Answers
from cv_pipeline.evaluation.classification.scorer import ClassificationScorer

LABELS = ("cat", "dog", "frog")
CAT, DOG, FROG, NONE = 0, 1, 2, 3


@pytest.fixture
def scorer() -> ClassificationScorer:
    """Two cats, of which one is taken for a frog; a dog; a dog without a prediction."""
    return ClassificationScorer(
        Answers(
            truth=np.array([CAT, CAT, DOG, DOG]),
            predicted=np.array([CAT, FROG, DOG, NONE]),
            confidence=np.array([0.9, 0.6, 0.8, np.nan]),
            truth_score=np.array([0.9, 0.3, 0.8, 0.0]),
        ),
        labels=LABELS,
    )


def test_measure(scorer):
    made = {(m.label, m.metric): m.value for m in scorer.measure(np.arange(4))}
    assert made == {
        (None, "accuracy"): 0.5,
        (None, "macro_f1"): pytest.approx(2 / 3),  # frog has no ground truth
        (None, "recall"): 0.5,
        (None, "precision"): 1.0,
        ("cat", "recall"): 0.5,
        ("cat", "precision"): 1.0,
        ("cat", "f1"): pytest.approx(2 / 3),
        ("dog", "recall"): 0.5,
        ("dog", "precision"): 1.0,
        ("dog", "f1"): pytest.approx(2 / 3),
    }


def test_measure_of_a_class_that_is_never_predicted(scorer):
    made = {(m.label, m.metric): m.value for m in scorer.measure(np.array([1, 2]))}
    assert made["cat", "precision"] is None
    assert made["cat", "f1"] == 0.0
    assert made[None, "macro_f1"] == 0.5
    assert (made[None, "recall"], made[None, "precision"]) == (0.5, 1.0)  # dog's alone


def test_precision_where_no_class_with_ground_truth_is_predicted(scorer):
    made = {(m.label, m.metric): m.value for m in scorer.measure(np.array([1, 3]))}
    assert made[None, "precision"] is None
    assert made[None, "recall"] == 0.0


def test_measure_of_no_images(scorer):
    made = scorer.measure(np.array([], dtype=np.int64))
    assert [(m.metric, m.value, m.images) for m in made] == [
        ("accuracy", None, 0),
        ("macro_f1", None, 0),
        ("recall", None, 0),
        ("precision", None, 0),
    ]


def test_agrees_with_scikit_learn():
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 3, 300), rng.integers(0, 3, 300)
    answers = Answers(truth, predicted, rng.random(300), rng.random(300))
    made = ClassificationScorer(answers, labels=LABELS).measure(np.arange(300))
    means = [
        s(truth, predicted, average="macro") for s in (f1_score, recall_score, precision_score)
    ]
    assert [m.value for m in made[:4]] == pytest.approx(
        [accuracy_score(truth, predicted), *means], abs=1e-12
    )


def test_per_image(scorer):
    assert scorer.per_image().to_pydict() == {
        "objects": [1, 1, 1, 1],
        "true_positives": [1, 0, 1, 0],
        "false_positives": [0, 1, 0, 0],
        "false_negatives": [0, 1, 0, 1],
        "correct": [True, False, True, False],
        "score": [0.9, 0.3, 0.8, 0.0],
        "truth": ["cat", "cat", "dog", "dog"],
        "predicted": ["cat", "frog", "dog", None],
        "confidence": [0.9, 0.6, 0.8, None],
    }


def test_confusion(scorer):
    assert scorer.confusion().to_pydict() == {
        "truth": ["cat", "cat", "dog", "dog"],
        "predicted": ["cat", "frog", "dog", None],
        "count": [1, 1, 1, 1],
    }
