from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from cv_pipeline.catalog.schemas.label_errors import LABEL_ERRORS
from cv_pipeline.catalog.schemas.matches import MATCHES
from cv_pipeline.catalog.schemas.per_image import PER_IMAGE
from cv_pipeline.catalog.schemas.predictions import PREDICTIONS
from cv_pipeline.evaluation.error_analysis.label_errors import (
    classification_label_errors,
    detection_label_errors,
)


def matches(*rows: tuple[Any, ...]) -> pa.Table:
    """Rows of (image, split, truth, predicted, score, kind)."""
    names = ("image_id", "split", "truth", "predicted", "score", "kind")
    return pa.Table.from_pylist(
        [
            dict.fromkeys(MATCHES.names)
            | dict(zip(names, row, strict=True))
            | {"rank": n, "annotation_id": f"a{n}" if row[2] else None}
            for n, row in enumerate(rows)
        ],
        schema=MATCHES,
    )


# right oranges have a mean score of 0.7, right tomatoes one of 0.9
RIGHT = [
    *(
        ("right", "test", "orange", "orange", score, "correct")
        for score in (0.5, 0.6, 0.7, 0.8, 0.9)
    ),
    *(("right", "val", "tomato", "tomato", 0.9, "correct") for _ in range(5)),
]


def test_a_box_is_doubted_where_the_model_is_as_sure_as_when_it_is_right():
    found = detection_label_errors(
        matches(
            *RIGHT,
            ("swapped", "test", "tomato", "orange", 0.75, "classification"),
            ("unsure", "test", "tomato", "orange", 0.69, "classification"),
            ("overlooked", "val", None, "orange", 0.95, "background"),
            ("unsure", "test", None, "tomato", 0.89, "background"),
            ("shifted", "test", "tomato", "tomato", 0.9, "localisation"),
            ("again", "test", "tomato", "tomato", 0.99, "duplicate"),
            ("learnt", "train", "tomato", "orange", 0.99, "classification"),
            ("rare", "test", "tomato", "plum", 0.99, "classification"),
        )
    )
    assert found.schema.equals(LABEL_ERRORS)
    assert [(r["image_id"], r["issue"], r["given"], r["suggested"]) for r in found.to_pylist()] == [
        ("overlooked", "missing_object", None, "orange"),
        ("shifted", "bad_box", "tomato", "tomato"),
        ("swapped", "wrong_class", "tomato", "orange"),
    ]
    assert found["annotation_id"].to_pylist() == [None, "a14", "a10"]


def test_without_anything_right_nothing_is_doubted():
    rows = matches(("a", "test", "tomato", "orange", 0.99, "classification"))
    assert len(detection_label_errors(rows)) == 0
    assert len(detection_label_errors(MATCHES.empty_table())) == 0


LABELS = ("cat", "dog", "fish")


def classified(truth: list[int], probabilities: np.ndarray, split: str = "test"):
    ids = [f"i{n:04d}" for n in range(len(truth))]
    best = probabilities.argmax(axis=1)
    per_image = pa.Table.from_pylist(
        [
            dict.fromkeys(PER_IMAGE.names, 0)
            | {
                "image_id": i,
                "split": split,
                "truth": LABELS[t],
                "predicted": LABELS[p],
                "correct": t == int(p),
                "score": 0.0,
                "confidence": float(row[p]),
            }
            for i, t, p, row in zip(ids, truth, best, probabilities, strict=True)
        ],
        schema=PER_IMAGE,
    )
    predictions = pa.Table.from_pylist(
        [
            {"image_id": i, "rank": int(k) + 1, "label": LABELS[c], "score": float(row[c])}
            for i, row in zip(ids, probabilities, strict=True)
            for k, c in enumerate(np.argsort(-row))
        ],
        schema=PREDICTIONS,
    )
    return per_image, predictions


def test_swapped_labels_are_found_apart_from_the_models_own_mistakes():
    """30 of 600 labels are swapped; the model is right of most and unsure where it is wrong."""
    random = np.random.default_rng(5)
    truth = random.integers(0, 3, 600)
    logits = random.normal(0, 0.7, (600, 3)) + 3.0 * np.eye(3)[truth]
    hard = random.choice(600, 60, replace=False)
    logits[hard] *= 0.2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = truth.copy()
    easy = np.setdiff1d(np.arange(600), hard)
    swapped = random.choice(easy, 30, replace=False)
    given[swapped] = (given[swapped] + 1) % 3
    per_image, predictions = classified(given.tolist(), probabilities)
    found = classification_label_errors(per_image, predictions, labels=LABELS)
    assert found.schema.equals(LABEL_ERRORS)
    ids = [int(i[1:]) for i in found["image_id"].to_pylist()]
    assert len(set(ids) & set(swapped.tolist())) >= 24
    assert len(set(ids) - set(swapped.tolist())) <= 6
    # the likeliest are the swapped ones, with what they really are
    assert set(ids[:20]) <= set(swapped.tolist())
    assert found["suggested"].to_pylist()[:20] == [LABELS[truth[k]] for k in ids[:20]]


def test_what_the_model_learnt_from_is_not_looked_at():
    probabilities = np.tile([0.98, 0.01, 0.01], (40, 1))
    probabilities[20:] = [0.01, 0.98, 0.01]
    given = [0] * 20 + [1] * 20
    given[0] = 1
    for split, expected in (("test", 1), ("train", 0)):
        per_image, predictions = classified(given, probabilities, split)
        assert len(classification_label_errors(per_image, predictions, labels=LABELS)) == expected


def test_one_class_alone_cannot_be_doubted():
    per_image, predictions = classified([0] * 5, np.tile([0.1, 0.8, 0.1], (5, 1)))
    assert len(classification_label_errors(per_image, predictions, labels=LABELS)) == 0
