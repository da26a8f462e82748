"""Splits: nothing that belongs together is parted, and no class is missed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets.splitting.examples import divide, ids, shown


def test_ratios_are_kept() -> None:
    result = divide([["a"], ["b"]] * 500)
    assert Counter(result.splits) == {"train": 700, "val": 150, "test": 150}


def test_every_class_has_its_share_of_every_split() -> None:
    labels = [["a"]] * 600 + [["b"]] * 300 + [["c"]] * 100
    result = divide(labels)
    count = shown(labels, result.splits)
    assert [count["c", s] for s in ("train", "val", "test")] == [70, 15, 15]


def test_a_class_in_six_of_two_thousand_images_is_in_every_split() -> None:
    rng = np.random.default_rng(0)
    labels = [list(rng.choice(["a", "b", "c", "d"], 3)) for _ in range(2000)]
    for row in rng.choice(2000, 6, replace=False):
        labels[row] = [*labels[row], "rare"]
    for seed in range(20):
        result = divide(labels, seed=seed)
        assert all(shown(labels, result.splits)["rare", s] for s in ("train", "val", "test"))
        assert result.assignment.shortfalls == ()


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (1, {"train"}),
        (2, {"train", "test"}),  # what cannot be tested cannot be trusted
        (3, {"train", "val", "test"}),
        (4, {"train", "val", "test"}),
    ],
)
def test_a_class_with_few_images_goes_where_it_matters_most(units: int, expected: set[str]) -> None:
    labels = [["common"]] * 100 + [["rare"]] * units
    result = divide(labels)
    assert {s for x, s in shown(labels, result.splits) if x == "rare"} == expected
    missing = {"train", "val", "test"} - expected
    assert {(f.label, f.split, f.units) for f in result.assignment.shortfalls} == {
        ("rare", s, units) for s in missing
    }


def test_a_class_whose_units_were_all_taken_by_rarer_classes_is_repaired() -> None:
    # every image with b also shows a rarer class, so b is never shared out for itself
    labels = [["b", "r1"], ["b", "r2"], ["b", "r3"]] + [["c"]] * 40
    for seed in range(20):
        result = divide(labels, seed=seed)
        assert {s for x, s in shown(labels, result.splits) if x == "b"} == {"train", "val", "test"}


def test_clusters_and_groups_never_cross() -> None:
    rng = np.random.default_rng(1)
    copies = [(10, n) for n in range(11, 20)]
    cluster = [10 if 10 <= n < 20 else n for n in range(300)]
    patient = [f"p{n}" if n % 3 else None for n in rng.integers(0, 60, 300)]
    camera = [f"c{n}" if n < 3 else None for n in rng.integers(0, 80, 300)]
    result = divide([["a"]] * 300, pairs=copies, groups=[patient, camera])
    splits = result.splits
    for key in (cluster, patient, camera):
        together: dict[object, set[str]] = {}
        for value, split in zip(key, splits, strict=True):
            if value is not None:
                together.setdefault(value, set()).add(split)
        assert all(len(found) == 1 for found in together.values())
    assert set(splits) == {"train", "val", "test"}


def test_four_cameras_still_fill_three_splits() -> None:
    camera = [f"camera {n % 4}" for n in range(400)]
    result = divide([["a"], ["b"]] * 200, groups=[camera])
    assert set(result.splits) == {"train", "val", "test"}


def test_official_splits_are_kept_and_the_rest_shared_among_the_others() -> None:
    official = ["test"] * 40 + [None] * 160
    result = divide([["a"]] * 200, official=official)
    splits = result.splits
    assert splits[:40] == ["test"] * 40
    assert Counter(splits[40:]) == {"train": 132, "val": 28}  # 0.70 : 0.15 of 160


def test_where_every_split_is_official_open_images_are_for_training() -> None:
    result = divide([["a"]] * 8, official=["train", "val", "test"] * 2 + [None, None])
    assert result.splits[6:] == ["train", "train"]


def test_an_official_split_wins_over_a_group_and_open_members_join_the_more_protected() -> None:
    result = divide(
        [["a"]] * 6,
        groups=[["p", "p", "p", None, None, None]],
        official=["train", "test", None, None, None, None],
        ratios={"train": 0.5, "val": 0.5},
    )
    assert result.splits[:3] == ["train", "test", "test"]


def test_adding_images_moves_few_others() -> None:
    rng = np.random.default_rng(2)
    before = ids(2000)
    kind = {i: [f"class {n}"] for i, n in zip(before, rng.zipf(1.6, 2000) % 12, strict=True)}
    after = sorted([*before, *ids(20, "new")])
    old = divide([kind[i] for i in before], image_ids=before)
    new = divide([kind.get(i, ["class 1"]) for i in after], image_ids=after)
    was = dict(zip(before, old.splits, strict=True))
    now = dict(zip(after, new.splits, strict=True))
    assert sum(was[i] != now[i] for i in before) <= 20


def test_another_seed_is_another_division() -> None:
    labels = [["a"]] * 200
    assert divide(labels, seed=0).splits != divide(labels, seed=1).splits


def test_no_images_and_no_labels() -> None:
    assert len(divide([]).splits) == 0
    assert Counter(divide([[]] * 100).splits) == {"train": 70, "val": 15, "test": 15}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_the_images(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 40))
    row = st.lists(st.sampled_from("abcdef"), max_size=3)
    labels = data.draw(st.lists(row, min_size=size, max_size=size))
    patient = data.draw(st.lists(st.sampled_from([None, *"pqrst"]), min_size=size, max_size=size))
    splits = st.sampled_from([None, None, None, "train", "val", "test"])
    official = data.draw(st.lists(splits, min_size=size, max_size=size))
    seed = data.draw(st.integers(0, 2**70))
    result = divide(labels, groups=[patient], official=official, seed=seed)
    again = divide(labels, groups=[patient], official=official, seed=seed)
    chosen = result.splits
    assert chosen == again.splits
    assert all(o in (None, s) for o, s in zip(official, chosen, strict=True))
    for unit in set(result.assignment.units.tolist()):
        members = np.flatnonzero(result.assignment.units == unit)
        declared = {official[m] for m in members} - {None}
        if len(declared) <= 1:
            assert len({chosen[m] for m in members}) == 1
    count = shown(labels, result.splits)
    present = {x for row in labels for x in row}
    missing = {(x, s) for x in present for s in set(chosen) if not count[x, s]}
    assert {(f.label, f.split) for f in result.assignment.shortfalls} == missing


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=3, max_size=80), st.integers(0, 99))
def test_one_label_an_image_and_three_images_are_enough(names: list[str], seed: int) -> None:
    result = divide([[x] for x in names], seed=seed)
    count = Counter(names)
    assert {f.label for f in result.assignment.shortfalls} == {
        x for x in count if count[x] < len(set(result.splits))
    }


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_class_at_three_in_a_thousand_is_in_every_split_and_fold(data: st.DataObject) -> None:
    size = data.draw(st.integers(1200, 2500))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    labels = [[str(x)] for x in rng.zipf(1.7, size) % 6]
    rare = rng.choice(size, round(0.003 * size), replace=False)
    for row in rare:
        labels[row] = [*labels[row], "rare"]
    folds = data.draw(st.sampled_from([None, 2]))
    result = divide(labels, folds=folds, seed=data.draw(st.integers(0, 99)))
    assert all(shown(labels, result.splits)["rare", s] for s in ("train", "val", "test"))
    if folds:
        assert {result.folds[row] for row in rare} >= {1, 2}
