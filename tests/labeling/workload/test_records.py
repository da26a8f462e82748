from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.workload.records import records
from cv_pipeline.labeling.workload.review_order import review_order
from cv_pipeline.storage import open_store
from tests.catalog.event_lake import rows_of


def write(catalog: Catalog, *said: tuple[Any, ...]) -> None:
    """Labels: image, annotator, label, and of boxes the left and top edge of a square of 10."""
    rows = []
    for n, (image, annotator, label, *corner) in enumerate(said):
        row = {"annotation_id": f"{n}", "image_id": image, "annotator": annotator, "label": label}
        row |= {"kind": "class", "attributes": "{}", "role": "annotator"}
        if annotator == "gold":
            row["role"] = "gold"
        if corner:
            x, y = map(float, corner)
            row |= {"kind": "bbox", "x_min": x, "y_min": y, "x_max": x + 10, "y_max": y + 10}
        rows.append(row)
    catalog.table("annotations").merge(rows_of(ANNOTATIONS, rows), on=["annotation_id"])


@pytest.fixture
def catalog(tmp_path) -> Catalog:
    return Catalog(open_store(str(tmp_path)), "x")


def found(catalog: Catalog) -> dict[tuple[str, str], tuple[float, float]]:
    made = records(catalog)
    return {
        (image, made.annotators[who]): (float(right), float(judged))
        for image, who, right, judged in zip(
            made.image_ids.to_pylist(), made.annotator, made.right, made.judged, strict=True
        )
    }


def test_gold_judges_alone_and_otherwise_everybody_else_does(catalog):
    write(
        catalog,
        ("i", "gold", "cat"), ("i", "ann", "cat"), ("i", "bob", "dog"), ("i", "cem", "dog"),
        ("j", "ann", "cat"), ("j", "bob", "cat"), ("j", "cem", "dog"),
        ("k", "ann", "cat"),
    )  # fmt: skip
    assert found(catalog) == {
        ("i", "ann"): (1, 1),
        ("i", "bob"): (0, 1),
        ("i", "cem"): (0, 1),
        ("j", "ann"): (0.5, 1),
        ("j", "bob"): (0.5, 1),
        ("j", "cem"): (0, 1),
        ("k", "ann"): (0, 0),  # nobody else looked
    }
    right, judged = records(catalog).of_annotators()
    assert right.tolist() == [1.5, 0.5, 0]
    assert judged.tolist() == [2, 2, 2]


def test_boxes_are_matched_and_what_was_missed_counts(catalog):
    write(
        catalog,
        ("i", "gold", "cat", 0, 0), ("i", "gold", "dog", 50, 50),
        ("i", "ann", "cat", 1, 0), ("i", "ann", "dog", 50, 51),  # both
        ("i", "bob", "cat", 0, 1),  # one, and one missed
        ("i", "cem", "dog", 0, 0), ("i", "cem", "cat", 90, 90),  # wrong name, not there, missed
    )  # fmt: skip
    assert found(catalog) == {("i", "ann"): (2, 2), ("i", "bob"): (1, 2), ("i", "cem"): (0, 3)}


def test_who_is_often_wrong_is_reviewed_first(catalog):
    said = [(f"i{n}", who, "cat" if who != "cem" or n % 2 else "dog") for n in range(40)
            for who in ("gold", "ann", "cem")]  # fmt: skip
    write(catalog, *said)
    order = review_order(catalog, algorithm="annotator_risk", find_errors=_none)
    assert set(order.annotators.to_pylist()[:40]) == {"cem"}
    assert (np.diff(order.urgency) <= 0).all()
    first = order.images(5)
    assert first.to_pylist() == sorted(first.to_pylist())
    assert len(first) == 5


def test_likely_errors_are_asked_for_only_where_they_are_wanted(catalog):
    write(catalog, ("i", "ann", "cat"), ("j", "ann", "cat"), ("j", "bob", "dog"))
    errors = pa.table({"image_id": ["j", "j", "z"], "score": [0.2, 0.7, 0.9]})
    order = review_order(catalog, algorithm="label_errors", find_errors=lambda: errors)
    assert order.image_ids.to_pylist() == ["j", "j"]
    assert order.urgency.tolist() == [0.7, 0.7]
    with pytest.raises(AssertionError, match="was asked"):
        review_order(catalog, algorithm="label_errors", find_errors=_none)


def test_without_labels_there_is_nothing_to_review(catalog):
    assert len(records(catalog).image_ids) == 0
    order = review_order(catalog, algorithm="annotator_risk", find_errors=_none)
    assert len(order.image_ids) == 0


def _none() -> pa.Table:
    raise AssertionError("was asked")
