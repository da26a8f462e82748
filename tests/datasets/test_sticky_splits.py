"""Sticky splits: an image never changes its split between versions, whatever comes."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets.splitting.examples import Divided, divide, ids, shown


def later(before: list[str], new: int) -> list[str]:
    return sorted([*before, *ids(new, "new")])


def test_images_keep_their_split_and_new_ones_fill_what_lacks() -> None:
    names = ids(600)
    kind = {i: ["a"] if n % 10 else ["b"] for n, i in enumerate(names)}
    first = divide([kind[i] for i in names], image_ids=names)
    every = later(names, 400)
    second = divide([kind.get(i, ["a"]) for i in every], image_ids=every, before=first)
    assert all(second.split_of[i] == first.split_of[i] for i in names)
    assert Counter(second.splits) == {"train": 700, "val": 150, "test": 150}


def test_a_rare_class_that_comes_later_still_reaches_every_split() -> None:
    names = ids(200)
    first = divide([["a"]] * 200, image_ids=names)
    every = later(names, 3)
    labels = [["a"] if i in first.split_of else ["rare"] for i in every]
    second = divide(labels, image_ids=every, before=first)
    assert {s for x, s in shown(labels, second.splits) if x == "rare"} == {"train", "val", "test"}


def test_a_new_near_duplicate_joins_the_old_one() -> None:
    names = ids(50)
    first = divide([["a"]] * 50, image_ids=names)
    every = later(names, 20)
    new = [n for n, i in enumerate(every) if i not in first.split_of]
    pairs = [(every.index(names[k]), n) for k, n in enumerate(new)]
    second = divide([["a"]] * 70, image_ids=every, pairs=pairs, before=first)
    assert all(second.split_of[every[n]] == first.split_of[names[k]] for k, n in enumerate(new))


def test_an_official_split_counts_for_more_than_a_kept_one() -> None:
    names = ids(30)
    first = divide([["a"]] * 30, image_ids=names)
    trained_on = next(i for i in names if first.split_of[i] == "train")
    declared = ["test" if i == trained_on else None for i in names]
    second = divide([["a"]] * 30, image_ids=names, official=declared, before=first)
    moved = {i for i in names if second.split_of[i] != first.split_of[i]}
    assert moved == {trained_on}


def test_an_image_that_joins_two_splits_is_left_out() -> None:
    names = ids(40)
    first = divide([["a"]] * 40, image_ids=names)
    every = later(names, 1)
    new = next(n for n, i in enumerate(every) if i not in first.split_of)
    ends = [
        every.index(next(i for i in names if first.split_of[i] == s)) for s in ("train", "test")
    ]
    pairs = [(end, new) for end in ends]
    second = divide([["a"]] * 41, image_ids=every, pairs=pairs, before=first)
    assert second.left_out == [every[new]]
    assert second.split_of == first.split_of


def test_by_time_the_newest_are_tested_and_the_cuts_stay() -> None:
    names = ids(100)
    day = {i: n for n, i in enumerate(np.random.default_rng(0).permutation(names))}
    first = divide([["a"]] * 100, image_ids=names, times=[day[i] for i in names], strategy="time")
    newest = max(day[i] for i in names if first.split_of[i] == "train")
    assert newest == 69
    assert min(day[i] for i in names if first.split_of[i] == "test") == 85
    every = later(names, 3)
    new = [i for i in every if i not in day]
    day |= dict(zip(new, (3, 75, 300), strict=True))
    second = divide(
        [["a"]] * 103,
        image_ids=every,
        times=[day[i] for i in every],
        strategy="time",
        before=first,
    )
    assert [second.split_of[i] for i in new] == ["train", "val", "test"]
    assert all(second.split_of[i] == first.split_of[i] for i in names)


def test_by_time_images_without_a_time_are_for_training() -> None:
    times = [None, None, *range(18)]
    made = divide([["a"]] * 20, times=times, strategy="time")
    assert made.splits[:2] == ["train", "train"]
    assert Counter(made.splits[2:]) == {"train": 13, "val": 2, "test": 3}


def test_by_time_a_near_duplicate_goes_with_the_newest_of_its_unit() -> None:
    made = divide([["a"]] * 10, times=list(range(10)), pairs=[(0, 9)], strategy="time")
    assert made.splits[0] == made.splits[9] == "test"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_comes_between_two_versions(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 25))
    more = data.draw(st.integers(0, 12))
    strategy = data.draw(st.sampled_from(["stratified", "time"]))
    folds = data.draw(st.sampled_from([None, None, 3]))
    rule = {"strategy": strategy, "folds": folds, "seed": data.draw(st.integers(0, 9))}
    old = ids(size)
    every = later(old, more)
    total = len(every)
    row = st.lists(st.sampled_from("abc"), max_size=2)
    kind = dict(zip(every, data.draw(st.lists(row, min_size=total, max_size=total)), strict=True))
    day = data.draw(st.lists(st.none() | st.integers(0, 9), min_size=total, max_size=total))
    when = dict(zip(every, day, strict=True))
    patient = dict(
        zip(
            every,
            data.draw(st.lists(st.sampled_from([None, *"pqr"]), min_size=total, max_size=total)),
            strict=True,
        )
    )

    def version(names: list[str], before: Divided | None = None) -> Divided:
        place = {i: n for n, i in enumerate(names)}
        ends = [(place[a], place[b]) for a, b in copies if a in place and b in place]
        return divide(
            [kind[i] for i in names],
            image_ids=names,
            pairs=ends,
            groups=[[patient[i] for i in names]],
            times=[when[i] for i in names],
            before=before,
            **rule,
        )

    some = st.sampled_from(every)
    copies = data.draw(st.lists(st.tuples(some, some).filter(lambda p: p[0] != p[1]), max_size=8))
    first = version(old)
    assert not first.left_out
    second = version(every, first)
    assert not set(second.left_out) & set(old)
    for image_id in old:
        assert second.split_of[image_id] == first.split_of[image_id]
        assert second.fold_of[image_id] == first.fold_of[image_id]
    for a, b in copies:
        if {a, b} <= set(second.ids) and not {a, b} <= set(old):
            assert second.split_of[a] == second.split_of[b]
            assert second.fold_of[a] == second.fold_of[b]
    third = version(every, second)
    assert third.split_of == second.split_of
    assert third.fold_of == second.fold_of
