from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

from cv_pipeline.evaluation.comparison.swaps import sign_flip_test


@pytest.mark.parametrize("changes", [[1, 1, 1, -1], [2, -1, 3], [1] * 9 + [-2], [0, 0], [5]])
def test_few_differences_are_tested_over_all_signs(changes):
    """The definition itself, sign by sign."""
    flipped = [
        abs(sum(s * c for s, c in zip(signs, changes, strict=True)))
        for signs in product((-1, 1), repeat=len(changes))
    ]
    expected = sum(f >= abs(sum(changes)) for f in flipped) / len(flipped)
    assert sign_flip_test(np.array(changes)) == pytest.approx(expected)


def test_with_one_object_an_image_it_is_the_exact_sign_test():
    """McNemar's exact test: 9 gained and 2 lost."""
    changes = np.array([1] * 9 + [-1] * 2 + [0] * 20)
    assert sign_flip_test(changes) == pytest.approx(binomtest(9, 11).pvalue)


def test_many_differences_agree_with_scipy():
    changes = np.random.default_rng(4).integers(-2, 4, 60)
    reference = permutation_test(
        (changes,),
        lambda x, axis: x.sum(axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        rng=np.random.default_rng(5),
    )
    ours = sign_flip_test(changes)
    assert ours == pytest.approx(reference.pvalue, abs=0.004)
    assert ours == sign_flip_test(changes)


@pytest.mark.parametrize("size", [15, 40, 200])
def test_differences_that_are_no_whole_numbers_agree_with_drawn_signs(size):
    rng = np.random.default_rng(size)
    changes = rng.standard_t(2, size) + 2 / np.sqrt(size)
    signs = 2 * rng.integers(0, 2, (100_000, size)) - 1
    drawn = (np.abs(signs @ np.abs(changes)) >= abs(changes.sum())).mean()
    assert sign_flip_test(changes) == pytest.approx(drawn, abs=0.05 if size == 15 else 0.02)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-3, 3), max_size=20))
def test_it_is_a_probability_and_does_not_know_which_model_is_which(changes):
    p = sign_flip_test(np.array(changes, dtype=np.int64))
    assert 0 < p <= 1
    assert p == sign_flip_test(-np.array(changes, dtype=np.int64))
