from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve

from cv_pipeline.evaluation.curves import Curve, curves_table

predictions = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=60)


@settings(deadline=None)
@given(rows=predictions)
def test_agrees_with_scikit_learn(rows: list[tuple[int, bool]]) -> None:
    score, right = np.array([s for s, _ in rows]) / 12, np.array([r for _, r in rows])
    curve = Curve.of(score, right, objects=int(right.sum()))
    if not right.any():
        assert len(curve.score) == 0
        return
    precision, recall, scores = precision_recall_curve(right, score)
    np.testing.assert_allclose(curve.score, scores[::-1])
    np.testing.assert_allclose(curve.recall, recall[:-1][::-1])
    np.testing.assert_allclose(curve.precision, precision[:-1][::-1])


def test_thinning_keeps_the_ends_the_best_f1_and_every_hundredth_of_recall() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(5000)
    right = rng.random(5000) < score
    curve = Curve.of(score, right, objects=4000)
    thin = curve.thinned()
    assert len(thin.score) <= 104
    assert (thin.score[0], thin.score[-1]) == (curve.score[0], curve.score[-1])
    assert thin.f1.max() == curve.f1.max()
    assert np.diff(thin.recall).max() <= 0.01 + 1 / 4000


def test_operating_points() -> None:
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, True, False, True, False])
    points = Curve.of(score, right, objects=3).operating_points()
    assert points["best_f1"] == {
        "score": 0.6,
        "precision": 0.75,
        "recall": 1.0,
        "f1": pytest.approx(6 / 7),
    }
    assert (points["precision_0.9"]["score"], points["recall_0.9"]["score"]) == (0.8, 0.6)
    assert Curve.of(score, right, objects=0).operating_points() == {}
    assert "recall_0.9" not in Curve.of(score, right, objects=9).operating_points()


def test_a_curve_for_all_classes_and_for_each_with_objects() -> None:
    table = curves_table(
        np.array([0.9, 0.8, 0.7]),
        np.array([True, False, True]),
        np.array([0, 2, 0]),
        objects=np.array([2, 1, 0]),
        labels=("apple", "orange", "tomato"),
    )
    assert [(r["label"], r["score"], r["recall"]) for r in table.to_pylist()] == [
        (None, 0.9, pytest.approx(1 / 3)),
        (None, 0.7, pytest.approx(2 / 3)),
        ("apple", 0.9, 0.5),
        ("apple", 0.7, 1.0),
    ]
