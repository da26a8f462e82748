"""A candidate after a dataset version: its images stay where they were, by table versions alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.candidate import Candidate, build_candidate
from cv_pipeline.datasets.checks import load_context, run_check
from cv_pipeline.datasets.splitting.assignments import TABLE, record_assignments
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import Project
from tests.datasets.world import World, fruit_world, make_project, sha


class Lake:
    """A catalogue that grows, and the candidates that are built on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world: World = fruit_world()
        self._built = 0

    def build(
        self, versions: dict[str, int] | None = None, **split: Any
    ) -> tuple[Catalog, Candidate]:
        project = self.project(**split)
        catalog = self.world.catalog(self.folder / "store")
        self._built += 1
        out = self.folder / str(self._built)
        out.mkdir()
        made = build_candidate(
            project=project, catalog=catalog, folder=out, table_versions=versions
        )
        return catalog, made

    def promote(self, **split: Any) -> Candidate:
        catalog, made = self.build(**split)
        record_assignments(
            catalog,
            made.manifest,
            made.record.rule,
            dataset=made.digest,
            read=made.table_versions[TABLE],
        )
        return made

    def project(self, **split: Any) -> Project:
        return make_project(dataset={"split": split})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def places(made: Candidate) -> dict[str, tuple[str, int | None]]:
    return {r["image_id"]: (r["split"], r["fold"]) for r in made.manifest.to_pylist()}


@pytest.mark.parametrize(
    "split",
    [
        {},
        {"strategy": "time"},
        {"folds": 3},
        {"group_by": ["line"], "ratios": {"train": 0.5, "test": 0.5}},
    ],
)
def test_its_images_stay_where_they_were(split: dict[str, Any], lake: Lake) -> None:
    first = lake.promote(**split)
    for n in range(25):
        lake.world.image(f"new {n}", ["lemon"], metadata={"line": str(n % 6)})
    _, second = lake.build(**split)
    was, now = places(first), places(second)
    assert len(now) == len(was) + 25
    assert {i: now[i] for i in was} == was


def test_on_unchanged_data_nothing_changes(lake: Lake) -> None:
    first = lake.promote(folds=2)
    again = lake.promote(folds=2)
    assert again.digest == first.digest
    assert again.table_versions[TABLE] > first.table_versions[TABLE]
    catalog, third = lake.build(folds=2)
    assert third.digest == first.digest
    assert catalog.table(TABLE).version == third.table_versions[TABLE]


def test_an_older_table_version_gives_the_older_division(lake: Lake) -> None:
    catalog, first = lake.build(seed=3)
    versions = dict(first.table_versions)
    lake.promote(seed=3)
    for n in range(40):
        lake.world.image(f"new {n}", ["kiwi"])
    _, free = lake.build({TABLE: versions[TABLE]}, seed=3)
    _, kept = lake.build(seed=3)
    assert places(free) != places(kept)
    assert {i: places(kept)[i] for i in places(first)} == places(first)
    assert catalog.table(TABLE).version > versions[TABLE]


def test_another_seed_is_asking_for_another_division(lake: Lake) -> None:
    first = lake.promote()
    _, second = lake.build(seed=1)
    assert places(second) != places(first)
    _, loose = lake.build(sticky=False)
    assert loose.digest == first.digest  # the same images under the same rule


def test_a_new_image_that_shows_a_training_and_a_test_image_is_left_out(lake: Lake) -> None:
    # the pictures must differ, but be taken for copies of the new one, as crops of it would be
    first = lake.promote()
    split = {i: s for i, (s, _) in places(first).items()}
    trained = next(i for i, s in split.items() if s == "train")
    tested = next(i for i, s in split.items() if s == "test")
    bridge = lake.world.image("bridge", ["apple"])
    catalog = lake.world.catalog(lake.folder / "store")
    pairs = [
        {
            "image_a": min(bridge, other),
            "image_b": max(bridge, other),
            "kind": "cropped",
            "distance": 3,
            "mismatch": 0.5,
        }
        for other in (trained, tested)
    ]
    table = catalog.table("near_duplicates")
    table.merge(pa.Table.from_pylist(pairs, schema=table.schema), on=table.key)
    out = lake.folder / "bridged"
    out.mkdir()
    project = lake.project()
    made = build_candidate(project=project, catalog=catalog, folder=out)
    assert made.record.bridges == 1
    assert made.images == 60
    assert made.left_out.to_pylist() == [
        {"image_id": bridge, "reason": "bridge", "belongs_to": "test 1, train 1"}
    ]
    assert places(made) == places(first)
    assert len(made.near_duplicates) == 0
    context = load_context(project=project, catalog=catalog, folder=out)
    verdict, _ = run_check("leakage", context)
    assert verdict.passed
    assert "1 image left out that joins images of two splits." in verdict.summary


def test_an_image_without_features_is_listed_too(lake: Lake) -> None:
    lake.world.image("damaged", ["apple"], features=False)
    _, made = lake.build()
    assert made.left_out.to_pylist() == [
        {"image_id": sha("damaged"), "reason": "no_features", "belongs_to": ""}
    ]


def test_two_versions_from_one_state_cannot_disagree(lake: Lake) -> None:
    for n in range(9):
        lake.world.image(f"new {n}", ["kiwi"])
    catalog, mine = lake.build()
    lake.world.label("new 3", "lemon", number=7)
    for n in range(9, 30):
        lake.world.image(f"new {n}", ["kiwi"])
    _, theirs = lake.build()
    common = set(places(mine)) & set(places(theirs))
    moved = [i for i in common if places(mine)[i] != places(theirs)[i]]
    assert moved, "the two must divide some image differently for this to test anything"
    read = mine.table_versions[TABLE]
    rule = mine.record.rule
    record_assignments(catalog, theirs.manifest, rule, dataset=theirs.digest, read=read)
    with pytest.raises(DatasetError, match=f"gave {len(moved)} of its images another split"):
        record_assignments(catalog, mine.manifest, rule, dataset=mine.digest, read=read)
