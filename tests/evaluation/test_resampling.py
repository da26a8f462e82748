from __future__ import annotations

import numpy as np
import pytest

from cv_pipeline.evaluation.measure import Interval
from cv_pipeline.evaluation.resampling import WEIGHTS_AT_ONCE, Resampling, percentiles


def test_each_sample_draws_as_many_images_as_there_are_and_repeats():
    blocks = list(Resampling(resamples=7, seed=3).weights(WEIGHTS_AT_ONCE // 3))
    assert [len(b) for b in blocks] == [3, 3, 1]
    assert {b.sum() / len(b) for b in blocks} == {WEIGHTS_AT_ONCE // 3}
    again = list(Resampling(resamples=7, seed=3).weights(WEIGHTS_AT_ONCE // 3))
    assert all((a == b).all() for a, b in zip(blocks, again, strict=True))
    (other,) = Resampling(resamples=2, seed=4).weights(50)
    (first,) = Resampling(resamples=2, seed=3).weights(50)
    assert (first != other).any()


def test_images_of_one_kind_are_drawn_like_images():
    kind = np.repeat([0, 1, 2], [10, 30, 60])
    (weights,) = Resampling(resamples=4000).weights(100)
    apart = np.stack([weights[:, kind == k].sum(axis=1) for k in range(3)], axis=1)
    (together,) = Resampling(resamples=4000).cells(np.bincount(kind))
    assert together.sum(axis=1).tolist() == [100] * 4000
    assert together.mean(axis=0) == pytest.approx(apart.mean(axis=0), abs=0.3)
    assert together.std(axis=0) == pytest.approx(apart.std(axis=0), rel=0.06)


def test_an_interval_holds_its_value_and_leaves_out_what_is_not_defined():
    samples = np.array([*range(41), np.nan])
    assert percentiles(5.0, samples) == Interval(5.0, 1.0, 39.0)
    assert percentiles(50.0, samples) == Interval(50.0, 1.0, 50.0)
    assert percentiles(0.5, np.array([np.nan])) == Interval(0.5, 0.5, 0.5)
