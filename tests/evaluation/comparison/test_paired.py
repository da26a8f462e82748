from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.evaluation.comparison.paired import (
    Ratio,
    ratio_difference,
    sampled_difference,
    swap_probability,
)


def accuracy_difference(before, after):
    once = np.ones(len(before))
    return ratio_difference(Ratio(before.astype(float), once), Ratio(after.astype(float), once))


def mcnemar(gained, lost):
    before = np.repeat([0.0, 1.0, 1.0], [gained, lost, 5])
    after = np.repeat([1.0, 0.0, 1.0], [gained, lost, 5])
    once = np.ones(len(before))
    return swap_probability(Ratio(before, once), Ratio(after, once))


@pytest.mark.parametrize(
    ("gained", "lost", "p_value"),
    [
        (9, 2, 0.06543),  # Fay 2016, vignette of the R package exact2x2
        (1, 11, 0.006348),  # Raschka 2018, Model Evaluation, 3.4: subfigure A
        (25, 15, 0.1539),  # subfigure B
        (0, 0, 1.0),
        (3, 3, 1.0),
    ],
)
def test_mcnemar_worked_examples(gained, lost, p_value):
    assert mcnemar(gained, lost) == pytest.approx(p_value, abs=5e-5)
    assert mcnemar(lost, gained) == pytest.approx(p_value, abs=5e-5)


def test_students_sleep_data():
    # Student 1908, The probable error of a mean; nine of ten slept longer, and one as long
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    once = np.ones(10)
    made = ratio_difference(Ratio(first, once), Ratio(second, once))
    assert made.difference == pytest.approx(1.58)
    assert made.p_value == 2 / 2**9
    assert (made.low, made.high) == pytest.approx((0.7001142, 2.4598858), abs=1e-6)


def counts(rng: np.random.Generator, images: int, skill: float) -> tuple[Ratio, Ratio]:
    """Objects of two models with one skill, crowded into some of the images."""
    objects = rng.poisson(rng.gamma(0.5, 8.0, images)) + 1
    hard = rng.beta(2, 2, images)
    found = [rng.binomial(objects, skill * hard) for _ in range(2)]
    return tuple(Ratio(f.astype(float), objects.astype(float)) for f in found)


def test_interval_of_recall_agrees_with_the_bootstrap():
    rng = np.random.default_rng(0)
    before, after = counts(rng, 300, 0.8)
    made = ratio_difference(before, after)
    drawn = []
    for _ in range(4000):
        pick = rng.integers(0, 300, 300)
        drawn.append(after.take(pick).value() - before.take(pick).value())
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert made.high - made.low == pytest.approx(high - low, rel=0.06)
    assert made.low == pytest.approx(low, abs=0.003)


def test_equal_models_are_called_different_about_as_often_as_the_level_says():
    rng = np.random.default_rng(1)
    false = sum(ratio_difference(*counts(rng, 60, 0.7)).significant for _ in range(1000))
    assert 30 <= false <= 75  # 50 are expected; 30 and 75 have a chance of less than 1 % each


def test_pairing_is_sharper_than_two_intervals():
    rng = np.random.default_rng(2)
    before = rng.random(400) < rng.beta(0.2, 0.2, 400)
    after = before.copy()
    after[np.flatnonzero(~before)[:12]] = True
    made = accuracy_difference(before, after)
    assert made.p_value == pytest.approx(2 * 0.5**12)
    apart = 1.96 * np.sqrt(2 * 0.25 / 400)
    assert made.high - made.low < apart


def test_the_same_model_does_not_differ():
    right = np.array([True, False, True])
    made = accuracy_difference(right, right)
    assert (made.difference, made.low, made.high, made.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert not made.significant


def test_one_image_proves_nothing():
    made = accuracy_difference(np.array([False]), np.array([True]))
    assert (made.difference, made.low, made.high) == (1.0, None, None)
    assert not made.significant


def test_what_is_not_defined_has_no_difference():
    empty, some = Ratio(np.zeros(3), np.zeros(3)), Ratio(np.ones(3), np.ones(3))
    made = ratio_difference(empty, some)
    assert (made.before, made.after, made.difference, made.p_value) == (None, 1.0, None, None)


def test_bootstrap_probability_counts_the_other_side():
    samples = np.arange(-5, 94) / 100  # 99 samples, five below 0 and one at it
    made = sampled_difference(0.0, 0.4, samples_before=np.zeros(99), samples_after=samples)
    assert made.p_value == pytest.approx(2 * (6 + 1) / 100)
    assert made.low < 0 < made.high


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 5)), min_size=2))
def test_turning_the_models_round_turns_the_difference_round(rows):
    first, second, objects = np.array(rows, dtype=float).T
    before, after = (
        Ratio(np.minimum(first, objects), objects),
        Ratio(np.minimum(second, objects), objects),
    )
    there, back = ratio_difference(before, after), ratio_difference(after, before)
    assert there.difference == pytest.approx(-back.difference)
    assert there.low == pytest.approx(-back.high, abs=1e-9)
    assert there.p_value == pytest.approx(back.p_value, abs=1e-6)
    assert there.low <= there.difference <= there.high
