from __future__ import annotations

import numpy as np
import pytest

from cv_pipeline.correction.comparison import recall_change
from cv_pipeline.evaluation.comparison.differences import Paired
from cv_pipeline.evaluation.comparison.paired import ratio_difference
from cv_pipeline.evaluation.measure import Counts


def counts(rows: list[tuple[int, int, int, int]]) -> Counts:
    """Counts of rows image, class, objects, found."""
    image, label, objects, found = np.array(rows, dtype=np.int64).T
    return Counts(image=image, label=label, objects=objects, found=found, predicted=found)


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


def test_the_probability_is_that_of_comparing_two_models():
    rng = np.random.default_rng(0)
    objects = rng.integers(1, 6, 40)
    found = [rng.binomial(objects, share) for share in (0.5, 0.7)]
    before, after = (counts([(n, 0, objects[n], f[n]) for n in range(40)]) for f in found)
    change = recall_change(before, after, chosen=np.ones(40, bool), label=0, name="a")
    paired = Paired(("a",), 40, before, after)
    assert change is not None
    assert change.p_value == ratio_difference(*paired.sums("recall", 0)).p_value
