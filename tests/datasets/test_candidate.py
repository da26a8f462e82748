"""A candidate: what is in it, that it repeats byte for byte, and when there can be none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.datasets.candidate import Candidate, build_candidate, load_candidate
from cv_pipeline.datasets.manifest import MANIFEST, dataset_digest
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import Project
from tests.datasets.world import World, fruit_world, make_project, sha


def build(world: World, folder: Path, project: Project | None = None) -> Candidate:
    out = folder / "candidate"
    out.mkdir()
    project = project or make_project()
    return build_candidate(project=project, catalog=world.catalog(folder / "store"), folder=out)


def test_a_candidate_holds_the_selected_images_their_labels_and_the_split(tmp_path: Path) -> None:
    world = fruit_world()
    world.image("nobody labelled this")
    made = build(world, tmp_path)
    manifest = made.manifest
    assert manifest.schema == MANIFEST
    assert made.annotations.schema == ANNOTATIONS
    assert (made.images, made.objects) == (60, 66)
    assert made.splits == Counter(manifest["split"].to_pylist())
    assert made.splits == {"train": 44, "val": 8, "test": 8}  # 15 % of each class, rounded
    assert manifest["image_id"].to_pylist() == sorted(sha(f"image {n}") for n in range(60))
    assert sum(manifest["objects"].to_pylist()) == 66
    assert made.record.query == "labelled"
    assert "annotations" in made.sql
    assert set(made.table_versions) >= {"images", "annotations", "image_features"}
    assert made.digest == dataset_digest(
        manifest, made.annotations, split=make_project().dataset.split
    )
    assert sum(part.labels["kiwi"] for part in made.record.contents.values()) == 6


def test_the_same_catalogue_gives_the_same_bytes(tmp_path: Path) -> None:
    world = fruit_world(30)
    catalog = world.catalog(tmp_path / "store")
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        build_candidate(project=make_project(), catalog=catalog, folder=folder)
    names = sorted(p.name for p in folders[0].iterdir())
    assert names == [
        "annotations.parquet",
        "candidate.json",
        "left_out.parquet",
        "manifest.parquet",
        "near_duplicates.parquet",
    ]
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_another_order_of_rows_in_another_store_gives_the_same_digest(tmp_path: Path) -> None:
    world, other = fruit_world(30), fruit_world(30)
    other.rows = {name: rows[::-1] for name, rows in other.rows.items()}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert build(world, tmp_path / "a").digest == build(other, tmp_path / "b").digest


def test_older_table_versions_give_the_older_candidate(tmp_path: Path) -> None:
    world = fruit_world(30)
    catalog = world.catalog(tmp_path / "store")
    versions = catalog.versions()
    folders = [tmp_path / "before", tmp_path / "after"]
    for folder in folders:
        folder.mkdir()
    before = build_candidate(project=make_project(), catalog=catalog, folder=folders[0])
    kept = catalog.table("annotations").read().slice(0, 20)
    catalog.table("annotations").replace(kept)
    after = build_candidate(
        project=make_project(), catalog=catalog, folder=folders[1], table_versions=versions
    )
    assert after.digest == before.digest
    assert after.table_versions["annotations"] == versions["annotations"]


def test_it_can_be_loaded_again(tmp_path: Path) -> None:
    made = build(fruit_world(), tmp_path)
    assert load_candidate(made.folder) == made


def test_near_duplicates_stay_together(tmp_path: Path) -> None:
    world = fruit_world()
    for n in range(20):
        world.image(f"copy {n}", ["apple"], shows=f"image {n}")
    made = build(world, tmp_path)
    assert made.record.near_duplicates == {"same": 20}
    split = dict(zip(*(made.manifest[c].to_pylist() for c in ("image_id", "split")), strict=True))
    assert all(split[sha(f"copy {n}")] == split[sha(f"image {n}")] for n in range(20))
    cluster = made.manifest.filter(pc.equal(made.manifest["image_id"], sha("copy 3")))["cluster"]
    assert cluster.to_pylist() == [min(sha("copy 3"), sha("image 3"))]


def test_groups_stay_together(tmp_path: Path) -> None:
    project = make_project(dataset={"split": {"group_by": ["line"]}})
    made = build(fruit_world(), tmp_path, project)
    split = dict(zip(*(made.manifest[c].to_pylist() for c in ("image_id", "split")), strict=True))
    for line in range(4):
        assert len({split[sha(f"image {n}")] for n in range(line, 60, 4)}) == 1
    assert len(pc.unique(made.manifest["unit"])) == 4


def test_official_splits_are_kept(tmp_path: Path) -> None:
    world = fruit_world()
    gold = [world.image(f"gold {n}", ["lemon"], split="test") for n in range(10)]
    made = build(world, tmp_path)
    test = made.manifest.filter(pc.equal(made.manifest["split"], "test"))["image_id"]
    assert sorted(test.to_pylist()) == sorted(gold)
    assert set(made.splits) == {"train", "val", "test"}


def test_one_annotator_is_chosen_and_a_majority_counted(tmp_path: Path) -> None:
    world = World()
    for n in range(20):
        world.image(f"image {n}", ["apple"], kind="class", annotator="a")
        world.label(f"image {n}", "lemon", annotator="b", kind="class")
        world.label(f"image {n}", "lemon", annotator="c", kind="class")
    project = make_project(
        task="classification",
        annotations={"source": "labels.csv", "aggregation": "majority"},
    )
    made = build(world, tmp_path, project)
    assert Counter(made.annotations["label"].to_pylist()) == {"lemon": 20}


def test_images_without_labels_can_be_asked_for(tmp_path: Path) -> None:
    world = fruit_world()
    world.image("an empty belt")
    project = make_project(dataset={"query": {"labelled": None}})
    made = build(world, tmp_path, project)
    states = Counter(made.manifest["labels_state"].to_pylist())
    assert states == {"labelled": 60, "empty": 1}


def test_images_that_could_not_be_read_are_left_out_and_counted(tmp_path: Path) -> None:
    world = fruit_world()
    world.image("damaged", ["apple"], features=False)
    made = build(world, tmp_path)
    assert (made.images, made.record.left_out) == (60, 1)


def small(images: int, **image: Any) -> World:
    world = World()
    for n in range(images):
        world.image(f"image {n}", ["apple"], **image)
    return world


def untimed(images: int) -> World:
    world = small(images)
    for row in world.rows["images"]:
        row["captured_at"] = None
    return world


@pytest.mark.parametrize(
    ("world", "dataset", "message"),
    [
        (World(), {}, "No image of fruit meets its dataset query"),
        (small(9), {"query": {"tags_any": ["urgent"]}}, r"tag in \('urgent'\)"),
        (small(9, features=False), {}, "None of the 9 selected images of fruit has features"),
        (small(9, kind="class"), {}, "None of the 9 selected images .* has a label for detection"),
        (small(2), {}, "The val split of fruit would have no labelled image: there are 2"),
        (small(9, shows="one"), {}, "in 1 groups that must stay together"),
        (small(9), {"split": {"group_by": ["cam"]}}, "group_by of fruit names 'cam'"),
        (small(9), {"split": {"folds": 9}}, r"The fold \d of 9 of fruit would have no labelled"),
        (untimed(9), {"split": {"strategy": "time"}}, "9 have no capture time, and are for train"),
    ],
    ids=[
        "empty",
        "no match",
        "no features",
        "other task",
        "too few",
        "all alike",
        "no such key",
        "too many folds",
        "no times",
    ],
)
def test_there_is_no_candidate(
    world: World, dataset: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        build(world, tmp_path, make_project(dataset=dataset))
    assert caught.value.do


def test_a_split_that_nobody_asks_for_may_be_empty(tmp_path: Path) -> None:
    project = make_project(dataset={"split": {"ratios": {"train": 0.5, "test": 0.5}}})
    assert build(small(10), tmp_path, project).splits == {"train": 5, "test": 5}


def test_a_folder_without_a_candidate(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"There is no candidate\.json in"):
        load_candidate(tmp_path)
