"""Left out: which images, why, and what they belong to."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from cv_pipeline.datasets.splitting.bonds import OPEN, bonds_of
from cv_pipeline.datasets.splitting.left_out import LEFT_OUT, bridges, unreadable
from cv_pipeline.datasets.splitting.splits import Places
from tests.datasets.splitting.examples import ids

NAMES = pa.array(ids(5))


def test_images_without_features() -> None:
    rows = unreadable(NAMES, NAMES.take(pa.array([0, 1, 3])))
    assert rows.schema == LEFT_OUT
    assert rows["image_id"].to_pylist() == [NAMES[2].as_py(), NAMES[4].as_py()]
    assert set(rows["reason"].to_pylist()) == {"no_features"}


def test_bridges_name_what_they_belong_to() -> None:
    bonds = bonds_of(
        5,
        pairs=np.array([[0, 4], [0, 1], [3, 4]]),
        groups=[pa.array(["p", "p", "p", None, "q"])],
    )
    places = Places(
        split=np.array([OPEN, 0, 0, 2, OPEN]),
        fold=np.array([OPEN, 1, 2, OPEN, OPEN]),
        official=np.zeros(5, bool),
        kept=np.array([False, True, True, True, False]),
    )
    torn = np.array([True, False, False, False, True])
    rows = bridges(NAMES, torn, bonds, places)
    assert rows.schema == LEFT_OUT
    assert rows.to_pylist() == [
        {
            "image_id": NAMES[0].as_py(),
            "reason": "bridge",
            "belongs_to": "train (fold 1) 1, train (fold 2) 1",
        },
        {"image_id": NAMES[4].as_py(), "reason": "bridge", "belongs_to": "test 1"},
    ]


def test_no_bridges() -> None:
    bonds = bonds_of(5, pairs=np.array([[0, 1]]))
    nothing = np.full(5, OPEN)
    places = Places(nothing, nothing, np.zeros(5, bool), np.zeros(5, bool))
    rows = bridges(NAMES, np.zeros(5, bool), bonds, places)
    assert (rows.schema, len(rows)) == (LEFT_OUT, 0)
