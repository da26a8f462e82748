from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas.matches import MATCHES
from cv_pipeline.catalog.schemas.per_image import PER_IMAGE
from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation.error_analysis.mistakes import (
    confident_mistakes,
    hardest_images,
    pick_mistakes,
)


def matches(*rows: tuple[Any, ...]) -> pa.Table:
    """Rows of (image, split, rank, truth, predicted, score, kind)."""
    names = ("image_id", "split", "rank", "truth", "predicted", "score", "kind")
    return pa.Table.from_pylist(
        [dict.fromkeys(MATCHES.names) | dict(zip(names, row, strict=True)) for row in rows],
        schema=MATCHES,
    )


ROWS = matches(
    ("a", "test", 1, "tomato", "tomato", 0.9, "correct"),
    ("a", "test", 2, "tomato", "orange", 0.6, "classification"),
    ("b", "test", 1, None, "orange", 0.8, "background"),
    ("b", "test", None, "apple", None, None, "missed"),
    ("c", "test", 1, "tomato", "orange", 0.7, "classification"),
    ("d", "val", 1, None, "apple", 0.99, "background"),
)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        # every error, the most confident first and missed objects last
        ({}, [("b", 0.8), ("c", 0.7), ("a", 0.6), ("b", None)]),
        ({"kind": "classification"}, [("c", 0.7), ("a", 0.6)]),
        ({"kind": "correct"}, [("a", 0.9)]),
        ({"kind": "duplicate"}, []),
        # cells of the confusion, the right ones too
        ({"truth": "tomato", "predicted": "orange"}, [("c", 0.7), ("a", 0.6)]),
        ({"truth": "tomato", "predicted": "tomato"}, [("a", 0.9)]),
        ({"truth": "none"}, [("b", 0.8)]),
        ({"predicted": "none"}, [("b", None)]),
        ({"truth": "apple", "kind": "missed"}, [("b", None)]),
        ({"split": "val"}, [("d", 0.99)]),
    ],
)
def test_any_kind_and_any_cell(asked, found):
    rows = pick_mistakes(ROWS, **{"split": "test"} | asked)
    assert rows.schema.equals(MATCHES)
    assert [(r["image_id"], r["score"]) for r in rows.to_pylist()] == found


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"kind": "clasification"}, "no kind of error.*'classification'"),
        ({"truth": "tomatoe"}, "is a 'tomatoe'.*'tomato'"),
        ({"split": "train"}, "'train' was not evaluated.*test, val"),
    ],
)
def test_unknown_names_are_told_with_the_nearest(asked, message):
    with pytest.raises(EvaluationError, match=message):
        pick_mistakes(ROWS, **{"split": "test"} | asked)


def test_the_most_confident_mistakes_are_predictions():
    rows = confident_mistakes(ROWS, split="test", n=2)
    assert rows["score"].to_pylist() == [0.8, 0.7]


def test_the_hardest_images_are_wrong_ones():
    names = ("image_id", "split", "score", "correct", "false_positives", "false_negatives")
    rows = [
        ("right", "test", 0.0, True, 0, 0),
        ("half", "test", 0.5, False, 1, 1),
        ("one", "test", 0.0, False, 1, 0),
        ("two", "test", 0.0, False, 1, 1),
        ("other", "val", 0.0, False, 9, 9),
    ]
    table = pa.Table.from_pylist(
        [{"objects": 1, "true_positives": 0} | dict(zip(names, row, strict=True)) for row in rows],
        schema=PER_IMAGE,
    )
    found = hardest_images(table, split="test", n=2)
    assert found.schema.equals(PER_IMAGE)
    assert found["image_id"].to_pylist() == ["two", "one"]
    assert hardest_images(table, split="test", n=9)["image_id"].to_pylist()[-1] == "half"
