from __future__ import annotations

import numpy as np
import pytest

from cv_pipeline.evaluation.proportion import wilson, wilson_bounds


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
     (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_newcombe_1998_table_1(part, whole, low, high):
    made = wilson(part, whole)
    assert made.value == part / whole
    assert (made.low, made.high) == pytest.approx((low, high), abs=5e-5)


def test_agrees_with_scipy():
    from scipy.stats import binomtest

    for part, whole in ((0, 1), (1, 1), (7, 9), (500, 1000)):
        known = binomtest(part, whole).proportion_ci(method="wilson")
        made = wilson(part, whole)
        assert (made.low, made.high) == pytest.approx((known.low, known.high), abs=1e-12)


def test_of_nothing_is_not_defined():
    assert np.isnan(wilson_bounds(np.array([0]), np.array([0]))).all()
