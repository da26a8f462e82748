from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.annotations import aggregate
from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.errors import AnnotationError


def day(number: int) -> datetime:
    return datetime(2025, 1, number, tzinfo=UTC)


def test_latest_takes_all_boxes_of_the_annotator_who_changed_something_last(annotations):
    rows = annotations(
        {"kind": "bbox", "annotator": "ann", "created_at": day(1)},
        {"kind": "bbox", "annotator": "ann", "created_at": day(1), "updated_at": day(9)},
        {"kind": "bbox", "annotator": "bob", "created_at": day(5)},
        {"kind": "bbox", "annotator": "bob", "image_id": "2"},
        {"kind": "class", "annotator": "cid", "created_at": day(20)},
    )

    chosen = aggregate(rows, task="detection", how="latest")

    assert chosen["annotation_id"].to_pylist() == ["000", "001", "003"]
    assert chosen.schema.equals(ANNOTATIONS)


@pytest.mark.parametrize(
    ("times", "winner"),
    [
        ((None, None), "ann"),  # no times: the first name
        ((None, 1), "bob"),  # a known time beats none
        ((3, 3), "ann"),  # equal times: the first name
    ],
)
def test_latest_without_a_clear_time(annotations, times, winner):
    stamps = [t and day(t) for t in times]
    rows = annotations(
        {"annotator": "bob", "created_at": stamps[1]},
        {"annotator": "ann", "created_at": stamps[0]},
    )

    chosen = aggregate(rows, task="classification", how="latest")

    assert chosen["annotator"].to_pylist() == [winner]


@pytest.mark.parametrize("how", ["latest", "majority"])
def test_what_a_model_drew_counts_only_where_it_is_asked_for(annotations, how):
    rows = annotations(
        {"annotator": "ann", "label": "pear", "created_at": day(1)},
        {"annotator": "aa:auto", "label": "apple", "created_at": day(9), "role": "model"},
        {"annotator": "ab:auto", "label": "apple", "created_at": day(9), "role": "model"},
        {"annotator": "ab:auto", "label": "apple", "image_id": "2", "role": "model"},
    )

    def chosen(**asked):
        return aggregate(rows, task="classification", how=how, **asked)["label"].to_pylist()

    assert chosen() == ["pear"]
    assert chosen(models=True) == ["apple", "apple"]


def test_latest_keeps_one_class_an_image(annotations):
    rows = annotations(
        {"label": "pear", "created_at": day(1)}, {"label": "apple", "created_at": day(2)}
    )

    chosen = aggregate(rows, task="classification", how="latest")

    assert chosen["label"].to_pylist() == ["apple"]


@pytest.mark.parametrize(
    ("votes", "label", "annotator"),
    [
        ([("ann", "a"), ("bob", "b"), ("cid", "b")], "b", "bob"),
        ([("bob", "b"), ("ann", "a")], "a", "ann"),  # a tie: the side of the first name
        ([("ann", "b"), ("ann", "a"), ("bob", "a")], "b", "ann"),  # ann's first of two undated
    ],
)
def test_majority(annotations, votes, label, annotator):
    rows = annotations(*({"annotator": who, "label": what} for who, what in votes))

    chosen = aggregate(rows, task="classification", how="majority").to_pylist()

    assert [(r["label"], r["annotator"]) for r in chosen] == [(label, annotator)]


def test_majority_counts_the_latest_vote_of_each(annotations):
    rows = annotations(
        {"annotator": "ann", "label": "a", "created_at": day(1)},
        {"annotator": "ann", "label": "b", "created_at": day(2)},
        {"annotator": "bob", "label": "b"},
        {"annotator": "cid", "label": "a"},
    )

    chosen = aggregate(rows, task="classification", how="majority")

    assert chosen["label"].to_pylist() == ["b"]


@pytest.mark.parametrize("how", ["latest", "majority"])
def test_no_rows(annotations, how):
    assert aggregate(annotations(), task="classification", how=how).num_rows == 0


def test_majority_of_boxes_is_refused(annotations):
    with pytest.raises(AnnotationError, match=r"boxes cannot be voted on\. Set .*latest"):
        aggregate(annotations(), task="detection", how="majority")


def test_unknown_aggregation_names_the_nearest(annotations):
    with pytest.raises(AnnotationError, match="Did you mean 'majority'"):
        aggregate(annotations(), task="classification", how="majorty")


votes = st.lists(
    st.tuples(st.sampled_from("123"), st.sampled_from("abcd"), st.sampled_from("xyz")),
    max_size=20,
    unique_by=lambda vote: vote[:2],
)


def rows_of(listed: list[tuple[str, str, str]]) -> pa.Table:
    n = len(listed)
    constant = {"kind": "class", "attributes": "{}", "source": "", "original_id": ""}
    constant |= {"ontology_version": "1", "guideline_version": "1", "role": "annotator"}
    columns: dict[str, list[str]] = {name: [value] * n for name, value in constant.items()}
    columns["annotation_id"] = [f"{image}/{who}" for image, who, _ in listed]
    columns["image_id"] = [image for image, _, _ in listed]
    columns["annotator"] = [who for _, who, _ in listed]
    columns["label"] = [what for _, _, what in listed]
    arrays = [
        pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(n, f.type)
        for f in ANNOTATIONS
    ]
    return pa.table(arrays, schema=ANNOTATIONS)


@settings(deadline=None)
@given(listed=votes, data=st.data())
def test_majority_agrees_with_a_count_by_hand_in_any_order(listed, data):
    by_image = defaultdict(dict)
    for image, who, what in listed:
        by_image[image][who] = what
    expected = {}
    for image, votes_here in by_image.items():
        counts = Counter(votes_here.values())
        tied = {what for what, n in counts.items() if n == max(counts.values())}
        expected[image] = next(what for _, what in sorted(votes_here.items()) if what in tied)

    shuffled = data.draw(st.permutations(listed))
    chosen = aggregate(rows_of(shuffled), task="classification", how="majority")

    assert dict(zip(*chosen.select(["image_id", "label"]).to_pydict().values(), strict=True)) == (
        expected
    )
    assert chosen.equals(aggregate(rows_of(listed), task="classification", how="majority"))


def test_thirty_thousand_votes_take_no_time():
    rng = np.random.default_rng(0)
    listed = [
        (f"{i // 3:05}", f"worker-{i % 3}", f"label-{v}")
        for i, v in enumerate(rng.integers(0, 10, 30_000))
    ]

    chosen = aggregate(rows_of(listed), task="classification", how="majority")

    assert chosen.num_rows == 10_000
