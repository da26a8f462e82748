"""Assignments: written once, read at a version, and never overtaken in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.splitting.assignments import TABLE, kept_assignments, record_assignments
from cv_pipeline.datasets.splitting.split_rule import canonical_rule, split_rule_digest
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import Split
from cv_pipeline.storage import open_store
from tests.datasets.world import sha

RULE = Split()


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(open_store(str(tmp_path)), "fruit")


def manifest(*splits: str, fold: int | None = None) -> pa.Table:
    """Images 0, 1, … in the given splits."""
    rows = [{"image_id": sha(f"image {n}"), "split": s, "fold": fold} for n, s in enumerate(splits)]
    schema = {"image_id": pa.string(), "split": pa.string(), "fold": pa.int32()}
    return pa.Table.from_pylist(rows, schema=pa.schema(schema)).sort_by("image_id")


def record(catalog: Catalog, rows: pa.Table, read: int | None = None, **changes: Any) -> int:
    rule = Split.model_validate(RULE.model_dump() | changes)
    version = catalog.table(TABLE).version if read is None else read
    return record_assignments(catalog, rows, rule, dataset="d" * 64, read=version)


def kept(catalog: Catalog, rule: Split = RULE, images: int = 3) -> list[str | None]:
    ids = pa.array([sha(f"image {n}") for n in range(images)])
    rows = kept_assignments(catalog, rule, ids, version=catalog.table(TABLE).version)
    return rows["split"].to_pylist()


def test_nothing_is_kept_before_the_first_version(catalog: Catalog) -> None:
    assert kept(catalog) == [None, None, None]


def test_splits_and_folds_are_kept_for_the_images_that_have_none(catalog: Catalog) -> None:
    assert record(catalog, manifest("train", "test")) == 2
    assert record(catalog, manifest("train", "test", "val")) == 1
    assert kept(catalog) == ["train", "test", "val"]
    rows = catalog.table(TABLE).read()
    assert set(rows["dataset"].to_pylist()) == {"d" * 64}
    assert set(rows["rule"].to_pylist()) == {split_rule_digest(RULE)}


def test_folds_that_are_asked_for_later_leave_the_splits_as_they_are(catalog: Catalog) -> None:
    record(catalog, manifest("train", "test"))
    folds = RULE.model_copy(update={"folds": 2})
    assert kept(catalog, folds) == ["train", "test", None]
    assert record(catalog, manifest("train", "test", "val", fold=2), folds=2) == 1
    assert kept(catalog) == kept(catalog, folds) == ["train", "test", "val"]
    ids = pa.array([sha("image 0")])
    version = catalog.table(TABLE).version
    for count, fold in ((2, 2), (3, None), (None, None)):
        rule = RULE.model_copy(update={"folds": count})
        rows = kept_assignments(catalog, rule, ids, version=version)
        assert rows["fold"].to_pylist() == [fold]


def test_doing_it_again_changes_nothing(catalog: Catalog) -> None:
    record(catalog, manifest("train", "test"))
    version = catalog.table(TABLE).version
    assert record(catalog, manifest("train", "test"), read=0) == 0
    assert catalog.table(TABLE).version == version


def test_an_older_version_of_the_table_knows_less(catalog: Catalog) -> None:
    record(catalog, manifest("train"))
    version = catalog.table(TABLE).version
    record(catalog, manifest("train", "test"))
    ids = pa.array([sha("image 1")])
    assert kept_assignments(catalog, RULE, ids, version=version)["split"].to_pylist() == [None]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"ratios": {"train": 0.5, "test": 0.5}},
        {"group_by": ("patient",)},
        {"strategy": "time"},
    ],
)
def test_another_rule_divides_anew(change: dict[str, Any], catalog: Catalog) -> None:
    record(catalog, manifest("train", "test"))
    other = Split.model_validate(RULE.model_dump() | change)
    assert kept(catalog, other) == [None, None, None]


def test_without_sticky_nothing_is_read_or_written(catalog: Catalog) -> None:
    record(catalog, manifest("train", "test"))
    loose = RULE.model_copy(update={"sticky": False})
    assert split_rule_digest(loose) == split_rule_digest(RULE)
    assert kept(catalog, loose) == [None, None, None]
    assert record(catalog, manifest("val", "val", "val"), sticky=False) == 0
    assert kept(catalog) == ["train", "test", None]


def test_a_version_that_another_one_overtook_is_refused(catalog: Catalog) -> None:
    record(catalog, manifest("train", "test"))
    read = catalog.table(TABLE).version
    record(catalog, manifest("train", "test", "val"))  # the other one, from the same state
    with pytest.raises(DatasetError, match="gave 1 of its images another split") as refused:
        record(catalog, manifest("train", "test", "train"), read=read)
    assert "--select dataset_candidate,dataset_version" in refused.value.do
    assert kept(catalog) == ["train", "test", "val"]


def test_what_a_refused_version_gave_is_not_kept(catalog: Catalog) -> None:
    record(catalog, manifest("train"))
    with pytest.raises(DatasetError, match="gave 1 of its images another split"):
        record(catalog, manifest("test", "test"), read=0)  # near-duplicates, say
    assert kept(catalog) == ["train", None, None]


def test_another_version_that_agrees_is_no_hindrance(catalog: Catalog) -> None:
    record(catalog, manifest("train"))
    assert record(catalog, manifest("train", "test"), read=0) == 1
    assert record(catalog, manifest("train", "test", "val"), read=0) == 1


def test_an_official_split_that_came_later_is_no_contradiction(catalog: Catalog) -> None:
    record(catalog, manifest("train", "train"))
    assert record(catalog, manifest("train", "test")) == 0  # declared since
    assert kept(catalog) == ["train", "train", None]


def test_rules_of_the_first_form_are_written_as_they_were() -> None:
    assert canonical_rule(RULE, schema_id="dataset/1") == (
        '{"group_by":[],"near_duplicate_distance":6,'
        '"ratios":{"test":0.15,"train":0.7,"val":0.15},"seed":0}'
    )
