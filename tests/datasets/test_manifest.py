"""The digest of a dataset: pinned for ever, blind to order, and changed by any content."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.datasets.manifest import MANIFEST, dataset_digest
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import Split
from tests.datasets.world import NOON, sha

PINNED = "e80e9ce03f2efe477aa21493399b4843c6bbcb21e5f877517ebc99f417585c90"
PINNED_SECOND = "d6876c9880ebdfd2918089504b9624740682cfb9045389660e258cc0c159a86d"
PINNED_FIRST = "071eb3bea6b15c2b0eb4cb851ee192e96574a1202da6fe97f230a7552327b9ef"
RULE = Split(ratios={"train": 0.5, "val": 0.25, "test": 0.25}, group_by=("patient",), seed=7)


def image(n: int, **changes: Any) -> dict[str, Any]:
    row = {
        "image_id": sha(f"image {n}"),
        "split": ("train", "val", "test")[n % 3],
        "fold": (1, 2, None)[n % 3],
        "path": f"{n}.jpg",
        "format": "JPEG",
        "width": 640,
        "height": 480,
        "bands": 3,
        "dtype": "uint8",
        "captured_at": NOON,
        "batch": "first",
        "cluster": sha(f"image {n}"),
        "unit": sha(f"image {n}"),
        "objects": 1,
        "labels_state": "labelled",
    }
    return {**row, **changes}


def label(n: int, **changes: Any) -> dict[str, Any]:
    row = {
        "annotation_id": f"id {n}",
        "image_id": sha(f"image {n % 3}"),
        "label": "apple" if n % 2 else "lemon, yellow",
        "kind": "bbox",
        "x_min": 0.1 * n,
        "y_min": 2.0,
        "x_max": 1e3 / 3,
        "y_max": 1e-7 + n + 3,
        "attributes": '{"occluded":true}',
        "annotator": "annotator-1f",
        "ontology_version": "1",
        "guideline_version": "2",
        "lead_time": 3.5,
        "created_at": NOON,
        "updated_at": None,
        "role": "annotator",
        "source": "export.json",
        "original_id": str(n),
    }
    return {**row, **changes}


IMAGES = [image(n) for n in range(3)]
LABELS = [
    *(label(n) for n in range(4)),
    label(4, kind="class", x_min=None, y_min=None, x_max=None, y_max=None, label="Äpfel"),
]


def digest(images: list[dict[str, Any]], labels: list[dict[str, Any]], rule: Split = RULE) -> str:
    return dataset_digest(
        pa.Table.from_pylist(images, schema=MANIFEST),
        pa.Table.from_pylist(labels, schema=ANNOTATIONS),
        split=rule,
    )


def test_the_digest_of_a_fixed_dataset_never_changes() -> None:
    # every dataset version that anyone has made is named by this function: if this fails, do not
    # change the digest here, but give the new definition a new SCHEMA_ID
    assert digest(IMAGES, LABELS) == PINNED


def test_digests_of_older_definitions_stay_as_they_were() -> None:
    manifest = pa.Table.from_pylist(IMAGES, schema=MANIFEST)
    labels = pa.Table.from_pylist(LABELS, schema=ANNOTATIONS)
    first = dataset_digest(manifest, labels, split=RULE, schema_id="dataset/1")
    assert first == PINNED_FIRST
    second = dataset_digest(manifest, labels, split=RULE, schema_id="dataset/2")
    assert second == PINNED_SECOND
    with pytest.raises(DatasetError, match="of the form dataset/99 cannot be read"):
        dataset_digest(manifest, labels, split=RULE, schema_id="dataset/99")


@settings(max_examples=30, deadline=None)
@given(st.permutations(IMAGES), st.permutations(LABELS))
def test_the_order_of_rows_does_not_matter(
    images: list[dict[str, Any]], labels: list[dict[str, Any]]
) -> None:
    assert digest(images, labels) == PINNED


def test_chunks_do_not_matter() -> None:
    manifest = pa.concat_tables([pa.Table.from_pylist([i], schema=MANIFEST) for i in IMAGES])
    annotations = pa.concat_tables([pa.Table.from_pylist([x], schema=ANNOTATIONS) for x in LABELS])
    assert dataset_digest(manifest, annotations, split=RULE) == PINNED


OTHER: dict[str, Any] = {
    "image_id": sha("another"),
    "label": "pear",
    "kind": "mask",
    "x_min": 0.05,
    "y_min": 2.0000000000000004,
    "x_max": 333.0,
    "y_max": 50.0,
    "geometry": '{"rings":[[[1.0,2.0],[3.0,2.0],[3.0,4.0]]]}',
    "attributes": "{}",
    "annotator": "annotator-2e",
    "ontology_version": "2",
    "guideline_version": "3",
}
TOLD_ONLY: dict[str, Any] = {
    "annotation_id": "another",
    "role": "reviewer",
    "lead_time": None,
    "created_at": None,
    "updated_at": NOON,
    "source": "elsewhere.json",
    "original_id": "another",
}


@pytest.mark.parametrize("column", OTHER)
@pytest.mark.parametrize("row", range(len(LABELS)))
def test_any_change_of_a_label_is_another_dataset(column: str, row: int) -> None:
    labels = [x | {column: OTHER[column]} if n == row else x for n, x in enumerate(LABELS)]
    assert digest(IMAGES, labels) != PINNED


@pytest.mark.parametrize("column", TOLD_ONLY)
def test_when_and_where_a_label_was_made_is_not_content(column: str) -> None:
    labels = [x | {column: TOLD_ONLY[column]} for x in LABELS]
    assert digest(IMAGES, labels) == PINNED


def test_every_column_of_a_label_is_content_or_told_only() -> None:
    assert {*OTHER, *TOLD_ONLY} == set(ANNOTATIONS.names)


@pytest.mark.parametrize(
    "images",
    [
        [image(0, split="val"), *IMAGES[1:]],  # another split
        [image(0, fold=2), *IMAGES[1:]],  # another fold
        [image(0, fold=None), *IMAGES[1:]],  # none
        IMAGES[:2],  # one image less
        [*IMAGES, image(3)],  # one more, without labels
        [image(0, split="val"), image(1, split="train"), IMAGES[2]],  # two exchanged
    ],
)
def test_any_change_of_membership_is_another_dataset(images: list[dict[str, Any]]) -> None:
    assert digest(images, LABELS) != PINNED


def test_what_the_manifest_only_tells_is_not_content() -> None:
    told = {"path": "p", "batch": "b", "captured_at": None, "cluster": "c", "unit": "u"}
    assert digest([i | told for i in IMAGES], LABELS) == PINNED


def test_a_label_twice_is_not_a_label_once() -> None:
    assert digest(IMAGES, [*LABELS, LABELS[0]]) != PINNED


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"ratios": {"train": 0.5, "val": 0.2, "test": 0.3}},
        {"group_by": ("site",)},
        {"near_duplicate_distance": 5},
        {"strategy": "time"},
        {"folds": 5},
    ],
)
def test_another_rule_is_another_dataset(change: dict[str, Any]) -> None:
    rule = Split.model_validate({**RULE.model_dump(), **change})
    assert digest(IMAGES, LABELS, rule) != PINNED


def test_whether_earlier_splits_are_kept_is_not_content() -> None:
    assert digest(IMAGES, LABELS, RULE.model_copy(update={"sticky": False})) == PINNED


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "a,b", 'a"', "", "ab"]), st.floats(0, 100)), max_size=5
    ),
    st.lists(
        st.tuples(st.sampled_from(["a", "a,b", 'a"', "", "ab"]), st.floats(0, 100)), max_size=5
    ),
)
def test_two_datasets_are_one_only_when_their_labels_are(
    one: list[tuple[str, float]], other: list[tuple[str, float]]
) -> None:
    def of(labels: list[tuple[str, float]]) -> str:
        return digest(IMAGES, [label(0, label=x, x_min=v) for x, v in labels])

    assert (of(one) == of(other)) == (sorted(one) == sorted(other))
