"""Inheritance: new images join what they belong to, and bridges between two splits stay out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.datasets.splitting.bonds import OPEN, Bonds, bonds_of
from cv_pipeline.datasets.splitting.inheritance import Inheritance, inherit

TRAIN, TEST = 0, 2


def run(
    given_values: list[int], pairs: list[tuple[int, int]], *groups: list[str | None]
) -> Inheritance:
    return inherit(np.array(given_values), bonds(len(given_values), pairs, *groups))


def bonds(size: int, pairs: list[tuple[int, int]], *groups: list[str | None]) -> Bonds:
    rows = np.array(pairs, np.int64).reshape(-1, 2)
    return bonds_of(size, pairs=rows, groups=[pa.array(g, pa.string()) for g in groups])


def test_a_new_image_joins_its_near_duplicate_directly_or_through_others() -> None:
    made = run([TEST, OPEN, OPEN, OPEN], [(0, 1), (1, 2)])
    assert made.values.tolist() == [TEST, TEST, TEST, OPEN]
    assert not made.left_out.any()


def test_a_bridge_is_left_out_and_the_rest_joins_its_own_side() -> None:
    line = ["1", "1", "1", "2", "2", "2", "1"]
    made = run([TRAIN, OPEN, OPEN, TEST, OPEN, OPEN, OPEN], [(4, 6)], line)
    # row 6 is of line 1 and shows what row 4 of line 2 shows
    assert made.left_out.tolist() == [False] * 4 + [True, False, False] or made.left_out[6]
    assert made.values[[1, 2]].tolist() == [TRAIN, TRAIN]
    assert made.values[5] == TEST
    assert made.left_out.sum() == 1


def test_an_image_that_belongs_to_two_splits_directly() -> None:
    made = run([TRAIN, TEST, OPEN], [(0, 2), (1, 2)])
    assert made.left_out.tolist() == [False, False, True]
    assert made.values.tolist() == [TRAIN, TEST, OPEN]


def test_a_chain_of_new_images_is_cut_once() -> None:
    made = run([TRAIN, OPEN, OPEN, OPEN, TEST], [(0, 1), (1, 2), (2, 3), (3, 4)])
    assert made.left_out.tolist() == [False, False, True, False, False]
    assert made.values.tolist() == [TRAIN, TRAIN, OPEN, TEST, TEST]


def test_a_new_group_reached_from_two_sides_takes_the_side_of_most() -> None:
    visit = [None, None, None, *["v"] * 6]
    pairs = [(0, 3), (0, 4), (2, 5)]
    made = run([TRAIN, TRAIN, TEST, *[OPEN] * 6], pairs, visit)
    assert made.left_out.tolist() == [False] * 5 + [True] + [False] * 3
    assert made.values[[3, 4, 6, 7, 8]].tolist() == [TRAIN] * 5


def test_a_group_that_lies_in_two_splits_already_keeps_nobody_away() -> None:
    made = run([TRAIN, TRAIN, TEST, OPEN], [], ["p"] * 4)
    assert made.values.tolist() == [TRAIN, TRAIN, TEST, TRAIN]
    made = run([TRAIN, TEST, OPEN], [], ["p"] * 3)
    assert made.values.tolist() == [TRAIN, TEST, TEST]  # of equals the more protected


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_the_bonds(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 14))
    row = st.integers(0, size - 1)
    before = data.draw(
        st.lists(st.sampled_from([OPEN, OPEN, 0, 1, 2]), min_size=size, max_size=size)
    )
    pairs = data.draw(st.lists(st.tuples(row, row).filter(lambda p: p[0] != p[1]), max_size=14))
    group = data.draw(st.lists(st.sampled_from([None, *"abc"]), min_size=size, max_size=size))
    made = run(before, pairs, group)
    held = bonds(size, pairs, group)
    assert all(b in (OPEN, v) for b, v in zip(before, made.values, strict=True))
    assert not (made.left_out & (np.array(before) != OPEN)).any()
    assert not (made.left_out & (made.values != OPEN)).any()
    stays = ~made.left_out
    for bond in range(held.count):
        members = held.image[held.bond == bond]
        old = {before[m] for m in members} - {OPEN}
        now = {int(made.values[m]) for m in members if stays[m]}
        if len(old) <= 1:  # what new images join never leaks
            assert len(now) <= 1
        else:
            assert OPEN not in now
    units = held.units()
    for unit in set(units.tolist()):
        members = np.flatnonzero(units == unit)
        old = {before[m] for m in members} - {OPEN}
        if len(old) < 2:  # nothing is left out where nothing is torn
            assert not made.left_out[members].any()
            assert {int(made.values[m]) for m in members} == (old or {OPEN})
