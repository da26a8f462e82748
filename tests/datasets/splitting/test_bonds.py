"""Bonds: images that share one, directly or through others, are one unit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cv_pipeline.datasets.splitting.bonds import bonds_of

NO_PAIRS = np.empty((0, 2), np.int64)


def test_images_without_bonds_are_alone() -> None:
    assert bonds_of(4, pairs=NO_PAIRS).units().tolist() == [0, 1, 2, 3]
    assert bonds_of(0, pairs=NO_PAIRS).units().tolist() == []


def test_pairs_and_groups_join_where_they_share_an_image() -> None:
    patient = pa.array(["p", None, "p", "q", None, "q", None])
    camera = pa.chunked_array([["c", None], [None, None, None, None, "c"]])
    bonds = bonds_of(7, pairs=np.array([[1, 4]]), groups=[patient, camera])
    assert bonds.units().tolist() == [0, 1, 0, 3, 1, 3, 0]


def test_a_group_of_one_image_holds_nothing_together() -> None:
    assert bonds_of(2, pairs=NO_PAIRS, groups=[pa.array(["a", "b"])]).units().tolist() == [0, 1]


def test_some_of_the_images() -> None:
    bonds = bonds_of(5, pairs=np.array([[0, 2], [2, 4]]), groups=[pa.array(["a", "a", *"bcd"])])
    assert bonds.units().tolist() == [0, 0, 0, 3, 0]
    assert bonds.take(np.array([1, 2, 3, 4])).units().tolist() == [0, 1, 2, 1]
    without = np.array([True, True, False, True, True])
    assert bonds.among(without).units().tolist() == [0, 0, 2, 3, 4]
