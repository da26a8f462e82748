from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.sample import Pool, draw
from cv_pipeline.plugins.sample.draw import needs_of, sampled

ALGORITHMS = ("random", "uncertainty", "diversity", "rarity", "disagreement", "failures")


def make_pool(n: int, *, seed: int = 0, classes: int = 3) -> Pool:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Pool(
        image_ids=pa.array([f"{i:05d}" for i in range(n)]),
        labels=tuple("abc"[:classes]),
        embeddings=rows,
        labelled=rows[: n // 4],
        failures=rows[:2],
        uncertainty=rng.integers(0, 3, n).astype(np.float64),  # with many ties
        scores=rng.random((n, classes)),
        counts=rng.integers(0, 50, classes).astype(np.float64),
        disagreement=np.zeros(n),  # all ties
    )


@given(
    n=st.integers(1, 60),
    share=st.floats(0.01, 1),
    control=st.floats(0.001, 1),
    seed=st.integers(0, 2**32),
    algorithms=st.lists(st.sampled_from(ALGORITHMS), min_size=1, max_size=3),
)
def test_a_selection_is_distinct_exact_seeded_and_keeps_its_control_arm(
    n, share, control, seed, algorithms
):
    pool, budget = make_pool(n), max(1, int(n * share))
    made = draw(pool, algorithms=algorithms, budget=budget, control=control, seed=seed)
    assert len(made.rows) == len(set(made.rows.tolist())) == budget
    assert set(made.rows.tolist()) <= set(range(n))
    assert (made.arms == "random").sum() >= min(budget, max(1, math.floor(control * budget)))
    again = draw(pool, algorithms=algorithms, budget=budget, control=control, seed=seed)
    assert made.rows.tolist() == again.rows.tolist()
    assert made.arms.tolist() == again.arms.tolist()


@given(name=st.sampled_from(ALGORITHMS), n=st.integers(1, 80), seed=st.integers(0, 99), d=st.data())
def test_each_chooses_distinct_images_of_the_pool(name, n, seed, d):
    pool, budget = make_pool(n, seed=seed), d.draw(st.integers(1, n))
    rows = sampled(name, pool, budget=budget, seed=seed)
    assert len(set(rows.tolist())) == budget
    assert 0 <= rows.min() <= rows.max() < n
    assert rows.tolist() == sampled(name, pool, budget=budget, seed=seed).tolist()


def test_the_control_arm_is_drawn_from_the_whole_pool_whatever_the_algorithm():
    """Over many seeds every image is as likely, also those that the algorithm wants most."""
    pool = make_pool(20)
    drawn = np.zeros(20)
    for seed in range(400):
        made = draw(pool, algorithms=["uncertainty"], budget=10, control=0.5, seed=seed)
        drawn[made.rows[made.arms == "random"]] += 1
    assert drawn.sum() == 2000
    assert (abs(drawn - 100) < 5 * math.sqrt(100 * 0.75)).all()  # five standard deviations


def test_algorithms_share_what_the_control_arm_leaves():
    made = draw(
        make_pool(50),
        algorithms=["uncertainty", "diversity", "rarity"],
        budget=21,
        control=0.1,
        seed=0,
    )
    names, counts = np.unique(made.arms, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "random": 3,
        "uncertainty": 6,
        "diversity": 6,
        "rarity": 6,
    }
    assert made.places[made.arms == "rarity"].tolist() == list(range(6))


def test_only_what_is_needed_is_asked_for():
    assert needs_of(["random"]) == frozenset()
    assert needs_of(["diversity", "rarity"]) == {"embeddings", "labelled", "scores", "counts"}


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("[0, 0]", r"returned 1 positions twice\. It must return 2 distinct positions"),
        ("[0]", r"an array of shape \(1,\) and not \(2,\)"),
        ("[0, 5]", r"not in the pool, such as 5\. .* 0 to 4\."),
        ("[0, -1]", "not in the pool, such as -1"),
        ("[0, float('nan')]", r"that are no numbers \(NaN or infinite\)"),
        ("[0.5, 1.0]", "an array of float64 and not of whole numbers"),
        ("['a', 'b']", "an array of .* and not of whole numbers"),
        ("None", "an array of object"),
        ("[[0, 1]]", r"an array of shape \(1, 2\)"),
        ("1 / 0", "'bad' failed: ZeroDivisionError: division by zero"),
    ],
)
def test_what_a_plugin_returns_is_checked(install, returned, said):
    source = f"""
class Bad:
    needs = ()
    def __call__(self, pool, *, budget, seed):
        return {returned}
"""
    install("bad_module", source, sample={"bad": "bad_module:Bad"})
    with pytest.raises(PluginError, match=said) as caught:
        sampled("bad", make_pool(5), budget=2, seed=0)
    assert "The sample algorithm 'bad'" in caught.value.what


def test_one_without_the_interface_is_refused(install):
    install("no_sampler", "class No: ...", sample={"no": "no_sampler:No"})
    with pytest.raises(PluginError, match="'no' is no sampler"):
        draw(make_pool(5), algorithms=["no"], budget=2, control=0.1, seed=0)
