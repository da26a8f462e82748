"""Folds: whole units, every class in each, and by time only what is older is trained on."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.datasets.splitting.examples import Divided, divide, ids


def counts(made: Divided) -> Counter[int | None]:
    return Counter(made.folds)


def test_images_that_are_not_for_testing_are_in_equal_folds() -> None:
    made = divide([["a"], ["b"]] * 500, folds=5)
    assert counts(made) == {None: 150, 1: 170, 2: 170, 3: 170, 4: 170, 5: 170}
    tested = [f for f, s in zip(made.folds, made.splits, strict=True) if s == "test"]
    assert set(tested) == {None}


def test_without_folds_there_are_none() -> None:
    assert counts(divide([["a"]] * 50)) == {None: 50}


def test_the_splits_are_those_of_the_rule_without_folds() -> None:
    labels = [["a"], ["b"], ["c"]] * 40
    assert divide(labels, folds=4).splits == divide(labels).splits


def test_a_class_in_seven_images_is_in_every_one_of_five_folds() -> None:
    labels = [["common"]] * 1000 + [["rare"]] * 7
    for seed in range(10):
        made = divide(labels, folds=5, seed=seed)
        rows = zip(labels, made.folds, strict=True)
        assert {f for x, f in rows if x == ["rare"]} - {None} == {1, 2, 3, 4, 5}


def test_units_are_whole() -> None:
    rng = np.random.default_rng(0)
    patient = [f"p{n}" for n in rng.integers(0, 40, 300)]
    made = divide([["a"]] * 300, groups=[patient], folds=4)
    together: dict[str, set[int | None]] = {}
    for who, fold in zip(patient, made.folds, strict=True):
        together.setdefault(who, set()).add(fold)
    assert all(len(folds) == 1 for folds in together.values())


def test_by_time_folds_are_consecutive_and_the_oldest_are_only_trained_on() -> None:
    made = divide([["a"]] * 100, times=list(range(100)), strategy="time", folds=4)
    tested = [n for n, s in enumerate(made.splits) if s == "test"]
    assert tested == list(range(85, 100))
    assert made.folds[:85] == sorted(n // 17 for n in range(85))
    assert counts(made) == {None: 15, **dict.fromkeys(range(5), 17)}


@pytest.mark.parametrize("strategy", ["stratified", "time"])
def test_folds_are_kept_and_new_images_join(strategy: str) -> None:
    names = ids(200)
    day = dict(zip(names, np.random.default_rng(1).permutation(200).tolist(), strict=True))

    def version(every: list[str], before: Divided | None = None) -> Divided:
        times = [day[i] for i in every]
        return divide(
            [["a"]] * len(every),
            image_ids=every,
            times=times,
            strategy=strategy,
            folds=3,
            before=before,
        )

    first = version(names)
    new = ids(60, "new")
    day |= dict(zip(new, np.random.default_rng(2).integers(0, 200, 60).tolist(), strict=True))
    second = version(sorted([*names, *new]), first)
    assert all(second.fold_of[i] == first.fold_of[i] for i in names)
    assert {second.fold_of[i] for i in new} >= {1, 2, 3}


def test_an_image_that_joins_two_folds_is_left_out() -> None:
    names = ids(60)
    first = divide([["a"]] * 60, image_ids=names, folds=2)
    every = sorted([*names, *ids(1, "new")])
    new = next(n for n, i in enumerate(every) if i not in first.split_of)
    ends = []
    for fold in (1, 2):
        one = next(i for i in names if (first.split_of[i], first.fold_of[i]) == ("train", fold))
        ends.append((every.index(one), new))
    second = divide([["a"]] * 61, image_ids=every, pairs=ends, before=first, folds=2)
    assert second.left_out == [every[new]]
