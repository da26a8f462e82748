"""False alarms and power of the two-sample test, with and without units of many images."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import binom

from cv_pipeline.evaluation.gap.two_samples import PERMUTATIONS, told_apart

DATASETS = 200
MOST_FALSE = int(binom.isf(0.001, DATASETS, 0.01))
"""False alarms at p < 0.01 that so many datasets exceed in one of a thousand cases."""


def singles(rng, images=60):
    return np.arange(2 * images), np.repeat([False, True], images)


def bursts(rng, units=12):
    """Units of 1 to 20 images, unlike in number in the two splits."""
    unit = np.repeat(np.arange(2 * units), rng.integers(1, 21, 2 * units))
    return unit, unit >= units


def uneven(rng):
    """Many small units against a few large ones."""
    unit = np.concatenate([np.repeat(np.arange(60), 2), np.repeat(np.arange(60, 70), 30)])
    return unit, unit >= 60


def looks_of(rng, unit, *, within: float, features: int = 6):
    """Numbers that differ more between units than within one, with far outliers."""
    own = rng.standard_t(3, (unit.max() + 1, features))
    return own[unit] + within * rng.normal(0, 1, (len(unit), features))


@pytest.mark.parametrize("made", [singles, bursts, uneven])
def test_false_alarms_are_as_rare_as_the_level_says(made):
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(DATASETS):
        unit, second = made(rng)
        share, p_value = told_apart(looks_of(rng, unit, within=0.3), unit, second)
        assert share is not None
        p_values.append(p_value)
    assert np.sum(np.array(p_values) < 0.01) <= MOST_FALSE
    assert binom.isf(0.999, DATASETS, 0.5) < np.sum(np.array(p_values) < 0.5)
    assert np.sum(np.array(p_values) < 0.5) < binom.isf(0.001, DATASETS, 0.5)


@pytest.mark.parametrize("made", [singles, bursts, uneven])
def test_shifted_looks_are_told_apart(made):
    rng = np.random.default_rng(1)
    unit, second = made(rng)
    looks = rng.normal(0, 1, (unit.max() + 1, 6))[unit]
    looks[second, :3] += 2.0
    share, p_value = told_apart(looks, unit, second)
    assert share > 0.8
    assert 1 / (1 + PERMUTATIONS) <= p_value < 0.01


def test_a_unit_of_both_splits_is_left_out():
    rng = np.random.default_rng(2)
    unit, second = singles(rng)
    looks = rng.normal(0, 1, (120, 4))
    alone = told_apart(looks, unit, second)
    # ten images of a unit that is in both splits, which would give it away
    shared, side = np.full(20, 500), np.repeat([False, True], 10)
    far = np.repeat([[9.0], [-9.0]], 10, axis=0) * np.ones(4)
    with_shared = told_apart(
        np.concatenate([looks, far]), np.append(unit, shared), np.append(second, side)
    )
    assert with_shared == alone


def test_every_unit_of_both_splits_leaves_nothing_to_try():
    unit = np.tile(np.arange(60), 2)
    looks = np.random.default_rng(0).normal(0, 1, (120, 4))
    assert told_apart(looks, unit, np.repeat([False, True], 60)) == (None, None)


def test_what_is_the_same_everywhere_tells_nothing():
    unit, second = singles(None)
    assert told_apart(np.full((120, 3), 0.1), unit, second) == (None, None)
    assert told_apart(np.zeros((120, 0)), unit, second) == (None, None)


def test_it_repeats():
    rng = np.random.default_rng(4)
    unit, second = bursts(rng)
    looks = looks_of(rng, unit, within=0.3)
    assert told_apart(looks, unit, second) == told_apart(looks, unit, second)


def test_it_is_quick_on_as_many_images_as_it_looks_at():
    rng = np.random.default_rng(5)
    unit = np.arange(40_000) // 4
    looks = rng.normal(0, 1, (40_000, 70))
    start = time.process_time()
    told_apart(looks, unit, unit >= 5000)
    assert time.process_time() - start < 10  # of all cores; 0.3 s of an idle one
