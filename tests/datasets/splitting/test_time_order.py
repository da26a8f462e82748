"""Dividing by time: the oldest first, and cuts that stay where they were."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.datasets.splitting.bonds import OPEN
from cv_pipeline.datasets.splitting.time_order import UNKNOWN, divide_by_time


def divide(
    times: list[int | None],
    shares: list[float],
    *,
    fixed: list[int] | None = None,
    known: list[int] | None = None,
    weights: list[int] | None = None,
) -> list[int]:
    size = len(times)
    before = known or []
    return divide_by_time(
        latest=np.array([UNKNOWN if t is None else t for t in times], np.int64),
        weights=np.array(weights or [1] * size, np.int64),
        shares=shares,
        fixed=np.array(fixed or [OPEN] * size, np.int64),
        known=np.array([times[n] if n in before else UNKNOWN for n in range(size)], np.int64),
        order=np.arange(size, dtype=np.uint64),
    ).tolist()


def test_the_oldest_are_first_and_shares_are_kept() -> None:
    times = [5, 1, 9, 3, 7, 0, 8, 2, 6, 4]
    parts = divide(times, [0.6, 0.2, 0.2])
    assert [p for _, p in sorted(zip(times, parts, strict=True))] == [0] * 6 + [1] * 2 + [2] * 2


def test_units_count_by_their_images() -> None:
    assert divide([1, 2, 3], [0.5, 0.25, 0.25], weights=[10, 10, 20]) == [0, 1, 2]
    assert divide([1, 2, 3, 4], [0.5, 0, 0.5], weights=[1, 1, 1, 9]) == [0, 0, 0, 2]


def test_every_part_gets_a_unit_where_there_are_enough() -> None:
    assert divide([1, 2, 3], [0.98, 0.01, 0.01]) == [0, 1, 2]
    assert divide([1, 2], [0.98, 0.01, 0.01]) == [0, 0]


def test_units_without_a_time_go_to_the_first_part_that_takes_any() -> None:
    assert divide([None, 1, 2, None], [0, 0.5, 0.5]) == [1, 1, 2, 1]
    assert divide([None, None], [0.7, 0.15, 0.15]) == [0, 0]


def test_cuts_stay_where_an_earlier_version_made_them() -> None:
    times = [10, 20, 30, 5, 15, 25, 35, 99]
    fixed = [0, 1, 2, *[OPEN] * 5]
    assert divide(times, [0.4, 0.3, 0.3], fixed=fixed, known=[0, 1, 2]) == [0, 1, 2, 0, 0, 1, 2, 2]


def test_a_part_that_no_earlier_version_filled_takes_nothing() -> None:
    times = [10, 30, 20, 40]
    assert divide(times, [0.4, 0.3, 0.3], fixed=[0, 2, OPEN, OPEN], known=[0, 1]) == [0, 2, 0, 2]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_of_an_earlier_part_is_newer(data: st.DataObject) -> None:
    times = data.draw(st.lists(st.integers(0, 30), min_size=1, max_size=25))
    shares = data.draw(st.sampled_from([[0.7, 0.15, 0.15], [0.5, 0, 0.5], [0.25] * 4]))
    parts = divide(times, shares)
    ordered = sorted(zip(times, parts, strict=True))
    assert [p for _, p in ordered] == sorted(parts)
    later = data.draw(st.lists(st.integers(0, 40), max_size=10))
    again = divide(
        times + later, shares, fixed=parts + [OPEN] * len(later), known=list(range(len(times)))
    )
    assert again[: len(times)] == parts
    for time, part in zip(later, again[len(times) :], strict=True):
        # nothing new is older than what its part began with, nor newer than a later part's start
        starts = {p: min(t for t, q in ordered if q == p) for p in set(parts)}
        assert all(time < start for p, start in starts.items() if p > part)
