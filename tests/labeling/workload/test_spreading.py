"""Labels spread over annotators: everybody finishes as evenly as their skills allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.labeling.workload.spreading import EXACT_GROUPS, Groups, laid_out, spread


def groups_of(seed: int, *, groups: int, annotators: int, most: int = 400) -> Groups:
    """Groups of three levels for annotators of three levels; the first two may do everything."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 3, groups)
    able = rng.integers(0, 3, annotators)
    able[:2] = 2
    pace = rng.gamma(20, 1.5, annotators)
    return Groups(
        images=rng.integers(1, most, groups),
        wanted=rng.integers(0, 4, groups),
        may=level[:, None] <= able[None, :],
        seconds=pace[None, :] * np.array([0.7, 1.0, 2.0])[level][:, None],
    )


def check_rules(groups: Groups, shares: np.ndarray) -> None:
    assert (shares.sum(axis=1) == groups.given * groups.images).all()
    assert (shares >= 0).all()
    assert (shares <= groups.images[:, None]).all()
    assert not shares[~groups.may].any()
    for own, images in zip(shares, groups.images, strict=True):
        place, person = laid_out(own, int(images))
        pairs = set(zip(place.tolist(), person.tolist(), strict=True))
        assert len(pairs) == len(place)  # nobody meets an image twice
        counts = np.bincount(place, minlength=images)
        assert counts.max() == counts.min()  # and every image has as many labels


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(2, 12))
def test_the_rules_hold_for_any_work(seed: int, count: int, annotators: int) -> None:
    groups = groups_of(seed, groups=count, annotators=annotators)
    capacity = np.random.default_rng(seed).uniform(10, 40, annotators) * 3600
    shares = spread(groups, capacity=capacity, busy=np.zeros(annotators))
    check_rules(groups, shares)
    again = spread(groups, capacity=capacity, busy=np.zeros(annotators))
    assert (shares == again).all()


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(3, 30))
def test_those_who_may_do_the_same_finish_within_a_few_labels(seed: int, annotators: int) -> None:
    """The bound: whole labels add at most one of each group to what the programme found even."""
    groups = groups_of(seed, groups=6, annotators=annotators, most=4000)
    groups = Groups(
        groups.images + 100 * annotators, np.ones(6, np.int64), groups.may, groups.seconds
    )
    capacity = np.random.default_rng(seed).uniform(10, 40, annotators) * 3600
    shares = spread(groups, capacity=capacity, busy=np.zeros(annotators))
    finish = (shares * groups.seconds).sum(axis=0) / capacity
    one_label = (groups.seconds / capacity).max(axis=1).sum()
    kinds = {tuple(column) for column in groups.may.T}
    for kind in kinds:
        alike = (kind == groups.may.T).all(axis=1)
        if any(kind):
            assert finish[alike].max() - finish[alike].min() <= 2 * one_label


def test_the_latest_finish_is_as_early_as_it_can_be() -> None:
    """Two may do all, one the easy only: 300 easy and 300 hard labels of 10 s, 200 for each."""
    groups = Groups(
        images=np.array([300, 300]),
        wanted=np.array([1, 1]),
        may=np.array([[True, True, True], [True, True, False]]),
        seconds=np.full((2, 3), 10.0),
    )
    shares = spread(groups, capacity=np.full(3, 3600.0), busy=np.zeros(3))
    assert shares.sum(axis=0).tolist() == [200, 200, 200]
    assert shares[1, 2] == 0


def test_whoever_is_held_back_by_nothing_is_levelled_too() -> None:
    """One alone may do the hard: 300 labels. The two others share the easy evenly all the same."""
    groups = Groups(
        images=np.array([100, 300]),
        wanted=np.array([1, 1]),
        may=np.array([[True, True, True], [True, False, False]]),
        seconds=np.full((2, 3), 10.0),
    )
    shares = spread(groups, capacity=np.full(3, 3600.0), busy=np.zeros(3))
    assert shares.tolist() == [[0, 50, 50], [300, 0, 0]]


def test_who_is_slow_or_busy_gets_less() -> None:
    groups = Groups(
        np.array([600]), np.array([1]), np.ones((1, 3), bool), np.array([[10.0, 20, 10]])
    )
    even = spread(groups, capacity=np.full(3, 3600.0), busy=np.zeros(3))
    assert even.tolist() == [[240, 120, 240]]
    busy = spread(groups, capacity=np.full(3, 3600.0), busy=np.array([1000.0, 0, 0]))
    assert busy.tolist() == [[180, 140, 280]]


def test_an_overlap_of_more_than_there_are_is_cut_to_those_there_are() -> None:
    groups = Groups(np.array([10]), np.array([5]), np.ones((1, 3), bool), np.ones((1, 3)))
    shares = spread(groups, capacity=np.ones(3), busy=np.zeros(3))
    assert groups.given.tolist() == [3]
    assert shares.tolist() == [[10, 10, 10]]


def test_work_that_nobody_may_do_is_given_to_nobody() -> None:
    groups = Groups(np.array([10]), np.array([1]), np.zeros((1, 2), bool), np.ones((1, 2)))
    assert not spread(groups, capacity=np.ones(2), busy=np.zeros(2)).any()


@pytest.mark.parametrize("times", [1, 2, 3])
def test_with_twice_and_three_times_the_people_the_same_call_stays_even(times: int) -> None:
    annotators = 10 * times
    groups = Groups(
        images=np.full(4, 2500),
        wanted=np.full(4, 2),
        may=np.ones((4, annotators), bool),
        seconds=np.full((4, annotators), 30.0),
    )
    shares = spread(groups, capacity=np.full(annotators, 72_000.0), busy=np.zeros(annotators))
    check_rules(groups, shares)
    labels = shares.sum(axis=0)
    assert labels.max() - labels.min() <= 4
    assert abs(labels.mean() - 20_000 / annotators) < 1e-9


def test_more_groups_than_the_programme_sees_are_spread_all_the_same() -> None:
    groups = groups_of(7, groups=EXACT_GROUPS + 40, annotators=9)
    shares = spread(groups, capacity=np.full(9, 72_000.0), busy=np.zeros(9))
    check_rules(groups, shares)
