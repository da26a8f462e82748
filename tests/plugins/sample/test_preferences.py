"""What each algorithm prefers, on pools where it is plain."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.errors import PluginError
from cv_pipeline.plugins.sample import Pool
from cv_pipeline.plugins.sample.draw import sampled

IDS = pa.array([str(n) for n in range(6)])


@pytest.mark.parametrize("field", ["uncertainty", "disagreement"])
def test_the_most_come_first_and_ties_are_by_chance(field):
    pool = Pool(image_ids=IDS, **{field: np.array([0.1, 0.9, 0.5, 0.5, -1.0, 0.9])})
    found = {tuple(sampled(field, pool, budget=4, seed=s).tolist()) for s in range(40)}
    assert {frozenset(f[:2]) for f in found} == {frozenset({1, 5})}
    assert {frozenset(f[2:]) for f in found} == {frozenset({2, 3})}
    assert len(found) == 4  # each tie in both orders


def test_images_with_rare_classes_come_more_often_in_proportion_to_their_weight():
    # class a has 99 labels, b has 9: an image of b weighs ten times as much
    scores = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [1, 0], [0, 1]], np.float64)
    pool = Pool(image_ids=IDS, scores=scores, counts=np.array([99.0, 9.0]))
    first = [int(sampled("rarity", pool, budget=1, seed=s)[0]) for s in range(600)]
    share = np.mean(np.array(first) == 5)
    assert share == pytest.approx(10 / 15, abs=5 * np.sqrt(2 / 9 / 600))


def test_images_without_any_weight_come_last():
    pool = Pool(image_ids=IDS, scores=np.eye(6)[:, :1], counts=np.zeros(1))
    assert sampled("rarity", pool, budget=6, seed=3)[0] == 0


def test_images_that_look_like_failures_come_first_and_copies_last():
    angles = np.array([0.0, 0.5, 0.51, 1.0, 2.0, 3.0])  # 1 and 2 are copies of each other
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    pool = Pool(image_ids=IDS, embeddings=rows, failures=rows[:1])
    assert sampled("failures", pool, budget=4, seed=0).tolist() == [0, 1, 3, 4]
    assert sorted(sampled("failures", pool, budget=6, seed=0).tolist()) == list(range(6))
    with pytest.raises(PluginError, match="no image that the model does badly on"):
        sampled("failures", Pool(image_ids=IDS, embeddings=rows), budget=1, seed=0)
