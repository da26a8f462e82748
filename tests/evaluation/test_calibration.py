from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.evaluation.calibration import (
    brier_scores,
    calibration_error,
    calibration_interval,
    equal_mass,
    equal_width,
    fit_temperature,
    log_losses,
    reliability,
    tempered,
)
from cv_pipeline.evaluation.resampling import Resampling


def drawn(seed: int, *, images: int, classes: int, sharpness: float = 1.0):
    """Scores of a model that is calibrated when its sharpness is 1, and true classes."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (images, classes))
    honest = np.exp(logits)
    honest /= honest.sum(axis=1, keepdims=True)
    truth = (rng.random((images, 1)) > honest.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    said = np.exp(logits * sharpness)
    return said / said.sum(axis=1, keepdims=True), truth


def error(scores, truth, *, bins=15, by=equal_width):
    confidence, correct = scores.max(axis=1), scores.argmax(axis=1) == truth
    of_bin = by(confidence, bins=bins) if by is equal_width else by(confidence, correct, bins=bins)
    return calibration_error(of_bin, confidence, correct)


def test_pavlovic_2025_worked_example():
    # Understanding Model Calibration, ICLR blog posts 2025: nine samples, five bins, 0.10444
    first = np.array([0.78, 0.36, 0.08, 0.58, 0.49, 0.85, 0.30, 0.63, 0.17])
    scores = np.stack([first, 1 - first], axis=1)
    truth = np.array([0, 1, 0, 0, 0, 0, 1, 1, 1])
    assert error(scores, truth, bins=5) == pytest.approx(0.10444, abs=5e-6)


def test_torchmetrics_documented_example():
    scores = np.array(
        [[0.25, 0.20, 0.55], [0.55, 0.05, 0.40], [0.10, 0.30, 0.60], [0.9, 0.05, 0.05]]
    )
    assert error(scores, np.array([0, 1, 2, 0]), bins=3) == pytest.approx(0.2000, abs=5e-5)


def test_agrees_with_torchmetrics():
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    scores, truth = drawn(0, images=3000, classes=7, sharpness=2.0)
    known = multiclass_calibration_error(
        torch.from_numpy(scores), torch.from_numpy(truth), num_classes=7, n_bins=15
    )
    assert error(scores, truth) == pytest.approx(float(known), abs=1e-6)


def test_bins_are_open_below_and_closed_above():
    at = np.array([0.0, 1 / 15, 1 / 15 + 1e-9, 1.0])
    assert equal_width(at).tolist() == [0, 0, 1, 14]


def test_bins_of_equal_mass_hold_the_same_number_whatever_the_order():
    rng = np.random.default_rng(1)
    confidence, correct = rng.integers(0, 5, 100) / 5, rng.random(100) < 0.5
    made = equal_mass(confidence, correct)
    assert set(np.bincount(made).tolist()) <= {6, 7}
    mixed = rng.permutation(100)
    again = equal_mass(confidence[mixed], correct[mixed])
    assert calibration_error(made, confidence, correct) == pytest.approx(
        calibration_error(again, confidence[mixed], correct[mixed])
    )


def test_the_interval_resamples_images_with_all_their_scores():
    rng = np.random.default_rng(2)
    image = np.sort(rng.integers(0, 40, 300))
    confidence, correct = rng.random(300), rng.random(300) < 0.3
    of_bin = equal_width(confidence)
    made = calibration_interval(
        of_bin, confidence, correct, image=image, images=40, resampling=Resampling(resamples=400)
    )
    assert made.value == calibration_error(of_bin, confidence, correct)
    assert made.low < made.value < made.high
    naive = []
    for _ in range(400):
        rows = np.concatenate([np.flatnonzero(image == i) for i in rng.integers(0, 40, 40)])
        naive.append(calibration_error(of_bin[rows], confidence[rows], correct[rows]))
    low, high = np.percentile(naive, [2.5, 97.5])
    assert made.high - made.low == pytest.approx(high - low, rel=0.2)
    # resampling alone raises the error, which the interval does not show
    assert np.mean(naive) > made.value
    assert (made.low + made.high) / 2 == pytest.approx(made.value, abs=0.01)


def test_reliability_adds_up_to_the_error():
    scores, truth = drawn(3, images=400, classes=3, sharpness=3.0)
    confidence, correct = scores.max(axis=1), scores.argmax(axis=1) == truth
    bars = [b for b in reliability(confidence, correct) if b.count]
    assert sum(b.count for b in bars) == 400
    by_hand = sum(b.count * abs(b.accuracy - b.confidence) for b in bars) / 400
    assert by_hand == pytest.approx(error(scores, truth))
    empty = reliability(confidence, correct)[0]
    assert (empty.count, empty.confidence, empty.accuracy) == (0, None, None)


def test_brier_1950_table_1():
    # ten forecasts of rain; the verification score P is 0.19
    rain = np.array([0.7, 0.9, 0.8, 0.4, 0.2, 0.0, 0.0, 0.0, 0.0, 0.1])
    happened = np.array([0, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    scores = np.stack([1 - rain, rain], axis=1)
    assert brier_scores(scores, happened).mean() == pytest.approx(0.19)


def test_losses_agree_with_scikit_learn():
    from sklearn.metrics import brier_score_loss, log_loss

    scores, truth = drawn(4, images=500, classes=4)
    assert log_losses(scores, truth).mean() == pytest.approx(log_loss(truth, scores))
    known = brier_score_loss(truth, scores, scale_by_half=False)
    assert brier_scores(scores, truth).mean() == pytest.approx(known)


def test_a_sure_mistake_has_a_finite_loss():
    loss = log_losses(np.array([[1.0, 0.0]]), np.array([1]))
    assert loss.tolist() == pytest.approx([36.0437], abs=1e-4)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_made_the_scores_too_sharp(sharpness):
    scores, truth = drawn(5, images=20_000, classes=5, sharpness=sharpness)
    found = fit_temperature(scores, truth)
    assert found == pytest.approx(sharpness, rel=0.05)
    after = tempered(scores, found)
    assert error(after, truth) < 0.015
    assert (after.argmax(axis=1) == scores.argmax(axis=1)).all()
    assert after.sum(axis=1) == pytest.approx(np.ones(len(after)))


def test_the_temperature_is_the_best_on_a_grid():
    scores, truth = drawn(6, images=300, classes=3, sharpness=2.0)
    found = fit_temperature(scores, truth)
    best = log_losses(tempered(scores, found), truth).mean()
    grid = np.geomspace(0.1, 10, 60)
    assert all(best <= log_losses(tempered(scores, t), truth).mean() + 1e-9 for t in grid)


def test_no_temperature_without_mistakes_or_images():
    sure = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert fit_temperature(sure, np.array([0, 1])) is None
    assert fit_temperature(sure[:0], np.array([], dtype=np.int64)) is None


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.sampled_from([1, 2, 15]),
)
def test_the_error_is_a_share_and_at_least_the_gap_of_the_whole(rows, bins):
    confidence = np.array([r[0] for r in rows])
    correct = np.array([r[1] for r in rows])
    gap = abs(correct.mean() - confidence.mean())
    for of_bin in (
        equal_width(confidence, bins=bins),
        equal_mass(confidence, correct, bins=bins),
    ):
        made = calibration_error(of_bin, confidence, correct)
        assert gap - 1e-9 <= made <= 1 + 1e-9
