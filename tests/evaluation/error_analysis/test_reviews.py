from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas.reviews import REVIEWS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation.error_analysis.reviews import (
    record_review,
    review_sample,
    reviews_of,
    tally,
)
from cv_pipeline.storage import open_store

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@dataclass
class Record:
    split: str = "test"
    model: str = "m" * 64


@dataclass
class Evaluation:
    per_image: pa.Table
    digest: str = "e" * 64
    record: Record = field(default_factory=Record)


@pytest.fixture
def evaluation() -> Any:
    """Ten images of test, of which the first five are right, and one of val."""
    ids = [f"image{n}" for n in range(10)]
    return Evaluation(
        pa.table(
            {
                "image_id": [*ids, "other"],
                "split": ["test"] * 10 + ["val"],
                "correct": [True] * 5 + [False] * 6,
            }
        )
    )


@pytest.fixture
def catalog(tmp_path) -> Catalog:
    return Catalog(open_store(str(tmp_path)), "fruit")


def test_a_sample_is_seeded_and_grows(evaluation):
    small = review_sample(evaluation, n=3, seed=1)
    large = review_sample(evaluation, n=50, seed=1)
    assert large[:3] == small
    assert sorted(large) == [f"image{n}" for n in range(10)]
    assert review_sample(evaluation, n=50, seed=2) != large
    among = pa.array(["image7", "image1", "other", "unknown"])
    assert sorted(review_sample(evaluation, n=50, seed=1, among=among)) == ["image1", "image7"]


def test_judgements_are_kept_and_tallied(evaluation, catalog):
    judged = [
        # the metrics agree
        ("image0", "right", "ann", ""),
        ("image9", "wrong", "ann", "blur"),
        # the labels may be wrong
        ("image8", "right", "ann", "label"),
        # right by the labels only
        ("image1", "wrong", "ann", "blur"),
        # changed her mind
        ("image2", "wrong", "ann", "blur"),
        ("image2", "right", "ann", ""),
        # two people disagree: not right
        ("image3", "right", "ann", ""),
        ("image3", "wrong", "bob", "occlusion"),
    ]
    for n, (image, verdict, actor, issue) in enumerate(judged):
        record_review(
            catalog,
            evaluation,
            image_id=image,
            verdict=verdict,
            issue=issue,
            note="a note",
            actor=actor,
            at=NOON + timedelta(minutes=n),
        )
    rows = reviews_of(catalog, evaluation.digest)
    assert rows.schema.equals(REVIEWS)
    assert len(rows) == len(judged)
    assert len(reviews_of(catalog, "another")) == 0
    found = tally(rows, evaluation)
    assert (found.images, found.reviewers, found.agree) == (6, 2, 3)
    assert found.right is not None
    # Wilson 1927 of 3 of 6
    assert (found.right.value, found.right.low, found.right.high) == pytest.approx(
        (0.5, 0.1876, 0.8124), abs=5e-5
    )
    assert found.better == ("image8",)
    assert found.worse == ("image1", "image3")
    assert found.disputed == ("image3",)
    assert found.issues == {"blur": 2, "label": 1, "occlusion": 1}


def test_without_judgements_there_is_no_share(evaluation, catalog):
    found = tally(reviews_of(catalog, evaluation.digest), evaluation)
    assert found.right is None
    assert found.images == 0


@pytest.mark.parametrize(
    ("image", "verdict", "message"),
    [
        ("image0", "rigth", "'rigth' is no verdict.*'right'"),
        ("image99", "right", "Image image99 is not among those of evaluation"),
    ],
)
def test_what_cannot_be_judged(evaluation, catalog, image, verdict, message):
    with pytest.raises(EvaluationError, match=message):
        record_review(catalog, evaluation, image_id=image, verdict=verdict, actor="ann")
    assert len(reviews_of(catalog, evaluation.digest)) == 0
