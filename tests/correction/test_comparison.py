from __future__ import annotations

import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

from cv_pipeline.correction.comparison import recall_change, sign_flip_test
from cv_pipeline.evaluation.measure import Counts


def counts(rows: list[tuple[int, int, int, int]]) -> Counts:
    """Counts of rows image, class, objects, found."""
    image, label, objects, found = np.array(rows, dtype=np.int64).T
    return Counts(image=image, label=label, objects=objects, found=found, predicted=found)


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


def test_many_images_are_tested_in_little_memory(monkeypatch):
    """The signs are drawn in blocks, and the blocks do not change what is drawn."""
    changes = np.random.default_rng(4).integers(-2, 3, 3000)
    tracemalloc.start()
    ours = sign_flip_test(changes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6  # all signs at once are 480 MB
    monkeypatch.setattr("cv_pipeline.correction.comparison._SIGNS_AT_ONCE", 70_001)
    assert sign_flip_test(changes) == ours


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-3, 3), max_size=20))
def test_it_is_a_probability_and_does_not_know_which_model_is_which(changes):
    p = sign_flip_test(np.array(changes, dtype=np.int64))
    assert 0 < p <= 1
    assert p == sign_flip_test(-np.array(changes, dtype=np.int64))


def test_recall_of_a_class_on_the_chosen_images():
    """Image 0 gains two objects of class 1, image 1 loses one, and image 2 is not chosen."""
    before = counts([(0, 0, 1, 1), (0, 1, 3, 0), (1, 1, 1, 1), (2, 1, 5, 0), (3, 0, 2, 0)])
    after = counts([(0, 0, 1, 0), (0, 1, 3, 2), (1, 1, 1, 0), (2, 1, 5, 5), (3, 0, 2, 2)])
    chosen = np.array([True, True, False, True])
    change = recall_change(before, after, chosen=chosen, label=1, name="tomato")
    assert change is not None
    assert (change.images, change.objects, change.gained, change.lost) == (2, 4, 2, 1)
    assert (change.before.value, change.after.value) == (0.25, 0.5)
    assert change.before.low <= 0.25 <= change.before.high
    assert change.p_value == 1.0  # of the signs of 2 and -1 all give a sum of 1 or more
    assert (change.improved, change.worsened) == (False, False)
    every = recall_change(before, after, chosen=chosen, label=None, name=None)
    assert every is not None
    assert (every.images, every.objects) == (3, 7)
    assert (every.before.value, every.after.value) == (pytest.approx(2 / 7), pytest.approx(4 / 7))
    none = recall_change(before, after, chosen=np.zeros(4, bool), label=None, name=None)
    assert none is None


def test_a_clear_change_is_one_and_its_reverse_the_other():
    rows = [(n, 0, 1) for n in range(12)]
    worse = counts([(*row, 0) for row in rows])
    better = counts([(*row, 1) for row in rows])
    chosen = np.ones(12, bool)
    up = recall_change(worse, better, chosen=chosen, label=0, name="a")
    down = recall_change(better, worse, chosen=chosen, label=0, name="a")
    assert up is not None
    assert down is not None
    assert (up.improved, up.worsened, down.improved, down.worsened) == (True, False, False, True)
    assert up.p_value == pytest.approx(2 / 2**12)
