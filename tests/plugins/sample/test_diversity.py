from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.plugins.sample import Pool
from cv_pipeline.plugins.sample import diversity as module
from cv_pipeline.plugins.sample.diversity import Diversity, k_centre


def line(*places: float) -> np.ndarray:
    return np.array([[x, 0] for x in places], np.float32)


def test_a_worked_example_of_greedy_k_centre():
    """Points 0, 1, 3, 7, 12 on a line, and a centre at 0.

    The furthest from 0 is 12 (12); from {0, 12} it is 7 (5), for 3 is 3 from 0; from {0, 7, 12} it
    is 3 (3); then 1 (1); and 0 itself, a copy of the centre, comes last.
    """
    rng = np.random.default_rng(0)
    chosen = k_centre(line(0, 1, 3, 7, 12), line(0), budget=5, rng=rng)
    assert chosen.tolist() == [4, 3, 2, 1, 0]


def test_without_a_centre_the_first_is_drawn_by_chance():
    firsts = {
        int(k_centre(line(0, 1, 3), line()[:0], budget=1, rng=np.random.default_rng(s))[0])
        for s in range(30)
    }
    assert firsts == {0, 1, 2}
    chosen = k_centre(
        line(0, 1, 3, 7, 12), np.zeros((0, 2), np.float32), budget=2, rng=np.random.default_rng(1)
    )
    assert {int(c) for c in chosen} & {0, 4}


@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(1, 5))
def test_the_largest_distance_is_at_most_twice_the_least_possible(seed, n, budget):
    """Gonzalez (1985), against the best of all choices."""
    from itertools import combinations

    budget = min(budget, n)
    rows = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    best = min(
        distances[:, list(some)].min(axis=1).max() for some in combinations(range(n), budget)
    )
    chosen = k_centre(rows, rows[:0], budget=budget, rng=np.random.default_rng(seed))
    assert distances[:, chosen].min(axis=1).max() <= 2 * best + 1e-3


def test_of_a_large_pool_candidates_are_drawn_first(monkeypatch):
    monkeypatch.setattr(module, "MOST_DISTANCES", 100)
    monkeypatch.setattr(module, "MOST_LABELLED", 2)
    seen = []
    real = module.k_centre

    def spy(rows, centres, **options):
        seen.append((len(rows), len(centres)))
        return real(rows, centres, **options)

    monkeypatch.setattr(module, "k_centre", spy)
    rows = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    ids = pa.array([str(n) for n in range(500)])
    pool = Pool(image_ids=ids, embeddings=rows, labelled=rows[:9])
    chosen = Diversity()(pool, budget=5, seed=1)
    assert seen == [(50, 2)]
    assert len(set(chosen.tolist())) == 5
    assert chosen.tolist() == Diversity()(pool, budget=5, seed=1).tolist()
