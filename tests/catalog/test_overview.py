"""One page on a lake: states, classes, growth, and when labelling ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.overview import PACE_DAYS, lake_overview
from cv_pipeline.catalog.schemas import ANNOTATIONS, IMAGES, QUARANTINE
from cv_pipeline.project import Ontology

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
ONTOLOGY = Ontology(version="2", guideline_version="1", labels=("apple", "kiwi"))
IMAGE = pa.schema(
    [
        pa.field("n", pa.int32()),
        IMAGES.field("bytes"),
        IMAGES.field("ingested_at"),
        *[pa.field(f"{what}_count", pa.int32()) for what in ("annotations", "tags", "annotators")],
        pa.field("disagreement", pa.float64()),
        pa.field("taken_out", pa.bool_()),
    ]
)
LABEL = pa.schema(
    [
        pa.field("n", pa.int32()),
        *[
            ANNOTATIONS.field(name)
            for name in (
                "label",
                "annotator",
                "ontology_version",
                "guideline_version",
                "created_at",
            )
        ],
    ]
)


def image(n: int, **changes: Any) -> dict[str, Any]:
    row = {
        "n": n,
        "bytes": 100,
        "ingested_at": NOW - timedelta(days=60),
        "annotations_count": 0,
        "tags_count": 0,
        "annotators_count": 0,
        "disagreement": 0.0,
        "taken_out": False,
    }
    return {**row, **changes}


def label(n: int, what: str = "apple", *, days_ago: float = 1, **changes: Any) -> dict[str, Any]:
    row = {
        "n": n,
        "label": what,
        "annotator": "ana",
        "role": "annotator",
        "ontology_version": "2",
        "guideline_version": "1",
        "created_at": NOW - timedelta(days=days_ago),
    }
    return {**row, **changes}


def overview(images: list[dict[str, Any]], labels: list[dict[str, Any]], refused: str = ""):
    rows = [
        {"stage": stage, "file": "f", "field": str(n), "reason": "r", "detail": "", "at": NOW}
        for n, stage in enumerate(refused.split())
    ]
    quarantine = pa.Table.from_pylist([{"fingerprint": "", **r} for r in rows], schema=QUARANTINE)
    return lake_overview(
        {
            "images": pa.Table.from_pylist(images, schema=IMAGE),
            "annotations": pa.Table.from_pylist(labels, schema=LABEL),
        },
        ontology=ONTOLOGY,
        quarantine=quarantine,
        now=NOW,
    )


def test_images_are_counted_by_state_and_those_taken_out_apart():
    found = overview(
        [
            image(0),
            image(1, tags_count=1),
            image(2, annotations_count=2, tags_count=1, annotators_count=2, disagreement=0.5),
            image(3, annotations_count=1, tags_count=1, annotators_count=1),
            image(4, taken_out=True),
        ],
        [
            label(2),
            label(2, "kiwi", annotator="ben"),
            label(3, ontology_version="1"),
            label(4, ontology_version="1"),
        ],
    ).images
    assert (found.total, found.bytes, found.taken_out) == (5, 500, 1)
    assert (found.labelled, found.unlabelled, found.untouched) == (2, 2, 1)
    assert (found.contested, found.labelled_twice, found.stale) == (1, 1, 1)


def test_classes_annotators_and_refusals_are_listed():
    labels = [label(0), label(0), label(1), label(1, "kiwi", annotator="ben")]
    found = overview([image(0), image(1)], labels, "raw_images annotation_exports raw_images")
    assert found.classes == [
        {"label": "apple", "labels": 3, "images": 2},
        {"label": "kiwi", "labels": 1, "images": 1},
    ]
    assert [(a["annotator"], a["labels"]) for a in found.annotators] == [("ana", 3), ("ben", 1)]
    assert found.quarantined == {"annotation_exports": 1, "raw_images": 2}


def test_growth_has_a_row_for_every_month_in_which_anything_came():
    images = [image(0), image(1, ingested_at=NOW)]
    labels = [label(0, days_ago=31), label(0, "kiwi", days_ago=1)]
    assert overview(images, labels).growth == [
        {"month": "2025-04", "images": 1, "labelled": 0},
        {"month": "2025-05", "images": 0, "labelled": 1},  # an image counts once, at its first
        {"month": "2025-06", "images": 1, "labelled": 0},
    ]


def test_the_end_of_labelling_is_what_is_left_over_the_pace_of_the_last_weeks():
    images = [image(n) for n in range(28)] + [
        image(100 + n, annotations_count=1) for n in range(57)
    ]
    # two images a day for four weeks, and one before them that does not count
    labels = [label(100 + n, days_ago=n // 2) for n in range(56)] + [label(156, days_ago=40)]
    queue = overview(images, labels).queue
    assert queue.waiting == 28
    assert queue.images_per_day == queue.low == queue.high == pytest.approx(2)
    assert queue.days == pytest.approx(14)
    assert queue.estimated_end == NOW + timedelta(days=14)


def test_a_pace_that_varies_gives_an_interval_around_the_estimate():
    images = [image(0), *[image(n, annotations_count=1) for n in (1, 2)]]
    # the first label is older than the days that are looked at
    queue = overview(images, [label(1), label(2, days_ago=100)]).queue
    assert queue.images_per_day == pytest.approx(1 / PACE_DAYS)
    # one label in 28 days: a standard deviation of sqrt(1/28 - 1/28²), over sqrt(28) for the mean
    assert queue.high == pytest.approx(1 / 28 + 1.96 * (1 / 28 - 1 / 784) ** 0.5 / 28**0.5)
    assert queue.low == 0
    assert queue.latest is None
    assert queue.earliest < queue.estimated_end


def test_a_project_that_began_a_few_days_ago_has_the_pace_of_those_days():
    images = [image(n) for n in range(60)] + [
        image(100 + n, annotations_count=1) for n in range(60)
    ]
    queue = overview(images, [label(100 + n, days_ago=n % 3) for n in range(60)]).queue
    assert queue.images_per_day == pytest.approx(20)
    assert queue.days == pytest.approx(3)


def test_labels_of_images_that_were_taken_out_are_left_aside():
    found = overview([image(0), image(1, taken_out=True)], [label(0), label(1, "kiwi")])
    assert [c["label"] for c in found.classes] == ["apple"]
    assert [a["labels"] for a in found.annotators] == [1]


def test_without_a_dated_label_there_is_no_estimate():
    queue = overview([image(0)], [label(0, created_at=None)]).queue
    assert (queue.waiting, queue.images_per_day, queue.estimated_end) == (1, None, None)


def test_gold_labels_are_nobodys_pace():
    queue = overview([image(0)], [label(0, annotator="gold")]).queue
    assert queue.images_per_day is None


def test_an_empty_lake_has_an_overview():
    found = overview([], [])
    assert found.images.total == 0
    assert found.growth == found.classes == []
    assert found.to_json()["queue"]["waiting"] == 0


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 400)), max_size=40))
def test_each_image_is_labelled_once_in_the_growth(labels):
    images = [image(n) for n in range(21)]
    found = overview(images, [label(n, days_ago=days) for n, days in labels])
    assert sum(row["labelled"] for row in found.growth) == len({n for n, _ in labels})
    assert sum(row["images"] for row in found.growth) == 21
