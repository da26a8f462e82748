"""Folds of one training: all others, or by time the earlier ones."""

from __future__ import annotations

import pytest

from cv_pipeline.datasets.splitting.folds import Folds, folds_of
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import Split


def test_all_other_folds_are_trained_on() -> None:
    assert folds_of(Split(folds=4), 2) == Folds(train=(1, 3, 4), validation=2)


def test_by_time_only_earlier_ones() -> None:
    rule = Split(folds=3, strategy="time")
    assert folds_of(rule, 1) == Folds(train=(0,), validation=1)
    assert folds_of(rule, 3) == Folds(train=(0, 1, 2), validation=3)


@pytest.mark.parametrize(
    ("folds", "fold", "message"),
    [
        (None, 1, "the dataset version has no folds"),
        (3, 0, "There is no fold 0: the dataset version has 3"),
        (3, 4, "There is no fold 4"),
    ],
)
def test_a_fold_that_is_not_there(folds: int | None, fold: int, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        folds_of(Split(folds=folds), fold)
    assert caught.value.do
