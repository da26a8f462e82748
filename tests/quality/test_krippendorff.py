"""Krippendorff's alpha: the worked examples of its author, and a slow twin of his text."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.evaluation.resampling import Resampling
from cv_pipeline.quality.agreement import label_agreement
from cv_pipeline.quality.krippendorff import Reliability

# Krippendorff, K. (2011). Computing Krippendorff's Alpha-Reliability, sections A, B and C
BINARY = {"A": "0 1 0 0 0 0 0 0 1 0", "B": "1 1 1 0 0 1 0 0 0 0"}
NOMINAL = {"Ben": "a a b b d c c c e d d a", "Gerry": "b a b b b c c c e d d d"}
MISSING = {
    "A": "1 2 3 3 2 1 4 1 2 . . .",
    "B": "1 2 3 3 2 2 4 1 2 5 . 3",
    "C": ". 3 3 3 2 3 4 2 2 5 1 .",
    "D": "1 2 3 3 2 4 4 1 2 5 1 .",
}


def table(values: dict[str, str]) -> pa.Table:
    """One row for each value that an observer gave."""
    rows = [
        {"image_id": f"unit {i:02}", "annotator": who, "label": value}
        for who, text in values.items()
        for i, value in enumerate(text.split())
        if value != "."
    ]
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize(
    ("values", "alpha", "units", "count"),
    [(BINARY, 0.095, 10, 20), (NOMINAL, 0.692, 12, 24), (MISSING, 0.743, 11, 40)],
)
def test_the_worked_examples_of_krippendorff_2011(values, alpha, units, count):
    found = label_agreement(table(values)).alpha
    assert round(found.value, 3) == alpha
    assert (found.units, found.values) == (units, count)
    assert found.low <= found.value <= found.high


def naive(units: list[list[int]]) -> float | None:
    """Alpha from the matrix of coincidences, pair by pair, as the text has it."""
    coincidences: Counter[tuple[int, int]] = Counter()
    for values in units:
        for one, other in permutations(range(len(values)), 2):
            coincidences[values[one], values[other]] += 1 / (len(values) - 1)
    total = sum(coincidences.values())
    of_value: Counter[int] = Counter()
    for (one, _), count in coincidences.items():
        of_value[one] += count
    observed = sum(c for (one, other), c in coincidences.items() if one != other)
    expected = sum(
        of_value[one] * of_value[other] for one in of_value for other in of_value if one != other
    )
    if not expected:
        return None
    return 1 - (total - 1) * observed / expected


@given(st.lists(st.lists(st.integers(0, 4), max_size=5), max_size=12))
def test_it_is_that_of_the_matrix_of_coincidences(units):
    said = Reliability(
        np.array([u for u, values in enumerate(units) for _ in values], np.int64),
        np.array([v for values in units for v in values], np.int64),
        np.arange(len(units)),
    )
    found = said.alpha(Resampling(resamples=10))
    expected = naive(units)
    if expected is None:
        assert found.value is None
        assert found.why
    else:
        assert found.value == pytest.approx(expected)


def test_one_unit_without_disagreement_is_no_agreement_beyond_chance():
    found = Reliability(np.array([0, 0]), np.array([7, 7]), np.array([0])).alpha()
    assert (found.value, found.why) == (None, "all labels are the same, so chance explains all")
    found = Reliability(np.array([0, 1]), np.array([7, 8]), np.array([0, 1])).alpha()
    assert (found.value, found.units, found.why[:6]) == (None, 0, "no two")


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Of samples of a population whose alpha is known, about 95 of 100 intervals hold it."""
    rng = np.random.default_rng(0)

    def sample(images: int) -> Reliability:
        truth = rng.integers(0, 3, images)
        values = [
            np.where(rng.random(images) < 0.7, truth, rng.integers(0, 3, images)) for _ in "ab"
        ]
        return Reliability(np.tile(np.arange(images), 2), np.concatenate(values), np.arange(images))

    truth = sample(400_000).alpha(Resampling(resamples=10)).value
    held = 0
    for n in range(200):
        found = sample(100).alpha(Resampling(resamples=200, seed=n))
        held += found.low <= truth <= found.high
    assert 180 <= held <= 200


def test_units_of_one_image_are_resampled_together():
    """Ten units that are copies of one another are no more evidence than one."""
    rng = np.random.default_rng(1)
    values = rng.integers(0, 2, (2, 50))
    once = Reliability(np.tile(np.arange(50), 2), values.ravel(), np.arange(50)).alpha()
    many = np.repeat(values, 10, axis=1)
    apart = Reliability(np.tile(np.arange(500), 2), many.ravel(), np.arange(500)).alpha()
    together = Reliability(
        np.tile(np.arange(500), 2), many.ravel(), np.repeat(np.arange(50), 10)
    ).alpha()
    assert together.high - together.low == pytest.approx(once.high - once.low, rel=0.1)
    assert apart.high - apart.low < 0.5 * (together.high - together.low)


def test_the_same_seed_gives_the_same_interval():
    rows = table(MISSING)
    first = label_agreement(rows, resampling=Resampling(seed=3)).alpha
    assert label_agreement(rows, resampling=Resampling(seed=3)).alpha == first
    assert label_agreement(rows, resampling=Resampling(seed=4)).alpha != first
