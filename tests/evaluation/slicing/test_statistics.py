"""Intervals, tests and corrections against published examples, the libraries, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, false_discovery_control, fisher_exact

from cv_pipeline.evaluation.slicing.ratios import Sums
from cv_pipeline.evaluation.slicing.statistics import compare, corrected, ratio_interval


def share(found: int, of: int) -> Sums:
    """One object an image."""
    return Sums(*(np.float64(n) for n in (of, found, of, found, found, of)))


# R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3 (Wilson's score)
@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_of_independent_objects_is_wilsons(found, of, low, high):
    value, *ends = ratio_interval(share(found, of))
    assert float(value) == found / of
    assert ends == pytest.approx([low, high], abs=5e-5)


# R. G. Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, method 10
@pytest.mark.parametrize(
    ("part", "rest", "low"),
    [
        ((48, 80), (56, 70), 0.0524),
        ((3, 10), (9, 10), 0.1705),
        ((2, 7), (6, 7), 0.0582),
        ((0, 29), (5, 56), -0.0381),
        ((0, 20), (0, 10), -0.1611),
        ((0, 10), (10, 10), 0.6075),
    ],
)
def test_shortfall_is_newcombes_interval_of_a_difference(part, rest, low):
    assert float(compare(share(*part), share(*rest)).shortfall) == pytest.approx(low, abs=5e-5)


@pytest.mark.parametrize(("part", "rest"), [((48, 80), (56, 70)), ((300, 400), (5000, 6000))])
def test_probability_of_large_counts_is_pearsons(part, rest):
    table = [[k, n - k] for k, n in (part, rest)]
    expected = chi2_contingency(table, correction=False).pvalue
    assert float(compare(share(*part), share(*rest)).p_value) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("part", "rest"), [((4, 14), (34, 34)), ((2, 9), (9, 10)), ((9, 9), (1, 9))]
)
def test_probability_of_few_is_fishers_doubled(part, rest):
    table = [[k, n - k] for k, n in (part, rest)]
    tails = [fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]
    assert float(compare(share(*part), share(*rest)).p_value) == pytest.approx(2 * min(tails))


def test_objects_of_an_image_that_go_together_count_as_fewer():
    # 40 images of 5 objects, all of which are found or none: as if there were 40 objects
    images = np.repeat([5.0, 0.0], [30, 10])
    clustered = Sums.of(images, np.full(40, 5.0))
    alone = share(30, 40)
    assert np.allclose(ratio_interval(clustered), ratio_interval(alone), atol=1e-12)
    rest = np.repeat([5.0, 0.0], [60, 20])
    worse = np.repeat([5.0, 0.0], [15, 25])
    compared = compare(Sums.of(worse, np.full(40, 5.0)), Sums.of(rest, np.full(80, 5.0)))
    expected = compare(share(15, 40), share(60, 80))
    assert float(compared.p_value) == pytest.approx(float(expected.p_value))


def test_what_is_not_defined():
    nothing = share(0, 0)
    compared = compare(nothing, share(5, 10))
    assert np.isnan([compared.value, compared.low, compared.p_value, compared.shortfall]).all()
    assert np.isnan(float(compare(share(5, 10), nothing).p_value))
    assert float(compare(share(0, 10), share(0, 50)).p_value) == 1.0


def test_correction_is_benjamini_and_hochbergs():
    rng = np.random.default_rng(0)
    p = rng.random(200) ** 3
    assert corrected(p) == pytest.approx(false_discovery_control(p))
    with_gaps = np.insert(p, [3, 100], np.nan)
    assert corrected(with_gaps)[~np.isnan(with_gaps)] == pytest.approx(corrected(p))
    # the lowest of many tests are corrected as all together would be
    lowest = np.sort(p)[:20]
    assert corrected(lowest, tests=200) == pytest.approx(np.sort(corrected(p))[:20])


@pytest.fixture(scope="module")
def worlds() -> tuple[np.ndarray, np.ndarray]:
    """(2000 worlds, 60 images) objects, and those found: recall 0.8, harder images among them."""
    rng = np.random.default_rng(7)
    objects = rng.poisson(3, (2000, 60))
    rate = rng.beta(4, 1, (2000, 60))
    return objects.astype(float), rng.binomial(objects, rate).astype(float)


def sums(x: np.ndarray, y: np.ndarray) -> Sums:
    return Sums(
        *((y > 0).sum(1), x.sum(1), y.sum(1), (x * x).sum(1), (x * y).sum(1), (y * y).sum(1))
    )


def test_intervals_hold_the_truth_as_often_as_they_say(worlds):
    objects, found = worlds
    _, low, high = ratio_interval(sums(found, objects))
    covered = ((low <= 0.8) & (high >= 0.8)).mean()
    assert 0.935 <= covered <= 0.975


def test_chance_is_taken_for_a_difference_as_seldom_as_it_says(worlds):
    objects, found = worlds
    part, rest = slice(0, 20), slice(20, 60)
    p = compare(
        sums(found[:, part], objects[:, part]), sums(found[:, rest], objects[:, rest])
    ).p_value
    # 2000 worlds: a standard error of half a hundredth
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.015)
