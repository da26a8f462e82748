"""An export as a whole: the same bytes each time, whole or not there, and what it leaves out."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.annotations.formats import parse_export, read_export
from cv_pipeline.catalog.schemas import IMAGE_METADATA
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.exporting.exports import Export, export_version, written_formats
from cv_pipeline.datasets.exporting.record import read_export_record
from cv_pipeline.errors import DatasetError, StorageError
from cv_pipeline.storage import Blobs, Tombstone, Tombstones, blob_key, open_source, open_store
from tests.datasets.versions import LABELS, NOON, image_row, label_row, picture, write_version

SPLITS = ("train", "val", "test")


class World:
    """Six images, two a split, with one, two or three boxes each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = open_store(str(folder / "store"))
        self.blobs = Blobs(self.store)
        self.ids = [self.blobs.put(picture(n)) for n in range(6)]
        self.images = [
            image_row(i, split=SPLITS[n % 3], path=f"belt_{n % 2}/{n // 2:03}.png")
            for n, i in enumerate(self.ids)
        ]
        self.labels = [
            label_row(i, k, label=LABELS[k], created_at=NOON, attributes='{"ripe":true}')
            for n, i in enumerate(self.ids)
            for k in range(n % 3 + 1)
        ]
        self.version = write_version(folder / "version", self.images, self.labels)

    def export(self, name: str, to: str = "out", **options: Any) -> Export:
        given: dict[str, Any] = {"blobs": self.blobs, **options}
        return export_version(self.version, format=name, to=self.folder / to, **given)

    def catalog(self) -> Catalog:
        return Catalog(self.store, "fruit")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def contents(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file()
    }


@pytest.mark.parametrize("name", written_formats("detection"))
def test_the_same_version_gives_the_same_bytes(name: str, world: World) -> None:
    first, second = world.export(name, "first"), world.export(name, "second")
    assert contents(first.folder) == contents(second.folder)
    listed = {path: file.sha256 for path, file in first.record.files.items()}
    found = contents(first.folder)
    del found["export.json"]
    assert listed == found
    assert read_export_record(first.folder) == first.record
    assert (first.images, first.labels) == (6, 12)
    assert first.record.dataset == world.version.digest


@pytest.mark.parametrize("name", written_formats("detection"))
def test_a_part_is_as_it_is_in_the_whole(name: str, world: World) -> None:
    whole = world.export(name, "whole").record.files
    part = world.export(name, "part", splits=["val"]).record
    assert {split: s.images for split, s in part.splits.items()} == {"val": 2}
    lists = {"data.yaml", "README.md"}  # of what is there
    assert {p: f for p, f in part.files.items() if p not in lists}.items() <= whole.items()


def test_coco_ids_do_not_depend_on_the_splits_that_are_exported(world: World) -> None:
    world.export("coco", "whole")
    world.export("coco", "part", splits=["test"])
    documents = [
        (world.folder / name / "annotations" / "instances_test.json").read_bytes()
        for name in ("whole", "part")
    ]
    assert documents[0] == documents[1]
    document = json.loads(documents[0])
    assert document["licenses"] == []
    assert document["info"]["version"] == world.version.digest
    assert [c["name"] for c in document["categories"]] == list(LABELS)
    ids = {i["image_id"] for i in document["images"]}
    assert ids == {row["image_id"] for row in world.images if row["split"] == "test"}


def test_metadata_of_the_recorded_table_version(world: World) -> None:
    rows = [
        {"image_id": world.ids[0], "key": "line", "value": v, "actor": "x", "at": at}
        for v, at in (("1", NOON), ("2", datetime(2026, 1, 1, tzinfo=UTC)))
    ]
    table = world.catalog().table("image_metadata")
    table.append(pa.Table.from_pylist(rows[:1], schema=IMAGE_METADATA))
    recorded = {"image_metadata": table.version}
    table.append(pa.Table.from_pylist(rows[1:], schema=IMAGE_METADATA))
    world.version = write_version(
        world.folder / "again", world.images, world.labels, table_versions=recorded
    )
    made = world.export("coco", catalog=world.catalog())
    parsed = parse_export(read_export(open_source(str(made.folder))))
    assert parsed.facts["metadata"].to_pylist().count('{"line":"1"}') == 1


def test_metadata_that_is_gone(world: World) -> None:
    world.version = write_version(
        world.folder / "old", world.images, world.labels, table_versions={"image_metadata": 7}
    )
    with pytest.raises(DatasetError, match=r"was made with is gone.*--no-metadata"):
        world.export("coco", catalog=world.catalog())


def test_what_a_format_cannot_hold_is_counted(world: World) -> None:
    assert world.export("yolo").lost == {
        "annotator": 12,
        "attributes": 12,
        "captured_at": 6,
        "created_at": 12,
        "guideline_version": 12,
        "ontology_version": 12,
        "path": 6,
    }
    assert world.export("coco", "coco").lost == {}


def test_known_truth_keeps_no_name_that_an_import_would_obey(world: World) -> None:
    labels = [label_row(world.ids[0], annotator="gold")]
    world.version = write_version(world.folder / "gold", world.images[:1], labels)
    assert world.export("coco").lost == {"gold": 1}


def tombstone(world: World, number: int) -> None:
    stone = Tombstone(
        image_id=world.ids[number],
        reason="asked for",
        actor="ann",
        at=NOON,
        paths={},
        bytes=None,
        used_by=(),
    )
    Tombstones(world.store).create(stone)
    (world.folder / "store" / blob_key(world.ids[number])).unlink()


@pytest.mark.parametrize("known", [True, False], ids=["known before", "found out"])
@pytest.mark.parametrize("name", written_formats("detection"))
def test_images_that_were_taken_out_are_left_out_and_named(
    name: str, known: bool, world: World
) -> None:
    tombstone(world, 2)
    made = world.export(name, taken_out=[world.ids[2], "0" * 64] if known else ())
    assert made.record.taken_out == (world.ids[2],)
    assert (made.images, made.labels) == (5, 9)
    pattern = "*.tar" if name == "webdataset" else ""
    parsed = parse_export(read_export(open_source(str(made.folder / pattern))))
    assert len(parsed.images) == 5
    assert len(parsed.rows) == 9


@pytest.mark.parametrize("name", ["coco", "pascal_voc", "yolo"])
def test_labels_alone(name: str, world: World) -> None:
    made = world.export(name, blobs=None)
    assert not [path for path in made.record.files if path.endswith(".png")]
    assert not made.record.with_images
    parsed = parse_export(read_export(open_source(str(made.folder))))
    assert len(parsed.rows) == 12
    if name == "coco":  # whose images are then to be found where they lie
        assert set(parsed.images) == {row["path"] for row in world.images}


def test_labels_alone_name_no_path_that_leads_elsewhere(world: World) -> None:
    images = [image_row(world.ids[0], path="../../etc/passwd.png")]
    world.version = write_version(world.folder / "hostile", images, [label_row(world.ids[0])])
    made = world.export("coco", blobs=None)
    document = json.loads((made.folder / "annotations" / "instances_train.json").read_text())
    assert document["images"][0]["file_name"] == "passwd.png"


@pytest.mark.parametrize("name", ["webdataset", "huggingface"])
def test_formats_that_are_nothing_without_images(name: str, world: World) -> None:
    with pytest.raises(DatasetError, match=f"export to {name} cannot do without"):
        world.export(name, blobs=None)
    assert not (world.folder / "out").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"name": "cocoo"}, r"no export to 'cocoo'\. Did you mean 'coco'"),
        ({"name": "tfrecord"}, r"no export to 'tfrecord'"),
        ({"name": "coco", "splits": ["dev"]}, r"no split 'dev'"),
    ],
)
def test_what_cannot_be_exported(options: dict[str, Any], match: str, world: World) -> None:
    with pytest.raises(DatasetError, match=match):
        world.export(**options)


def test_a_split_without_images(world: World) -> None:
    world.version = write_version(world.folder / "small", world.images[:2], [])
    with pytest.raises(DatasetError, match=r"has no image in test\. It has train, val"):
        world.export("coco", splits=["test"])


@pytest.mark.parametrize("name", ["coco", "pascal_voc"])
def test_classes_of_images_where_there_is_no_usual_way(name: str, world: World) -> None:
    labels = [label_row(i, kind="class") for i in world.ids]
    folder = world.folder / "classes"
    world.version = write_version(folder, world.images, labels, task="classification")
    with pytest.raises(DatasetError, match=r"Export to csv or cvat or hugg"):
        world.export(name)


def test_class_folders_leave_out_images_without_a_class(world: World) -> None:
    labels = [label_row(i, kind="class", label="kiwi & co") for i in world.ids[:4]]
    folder = world.folder / "classes"
    world.version = write_version(folder, world.images, labels, task="classification")
    made = world.export("yolo")
    assert made.images == 4
    assert made.lost["unlabelled_image"] == 2
    assert made.lost["unused_class"] == 2
    folders = {path.rpartition("/")[0] for path in made.record.files} - {""}
    assert folders == {"train/kiwi_co", "val/kiwi_co", "test/kiwi_co"}


def test_nothing_is_overwritten(world: World) -> None:
    out = world.folder / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="nothing is ever overwritten"):
        world.export("coco")
    (out / "mine.txt").unlink()
    assert world.export("coco").folder == out


@pytest.mark.parametrize(
    ("damage", "match"),
    [(Path.unlink, "There is no object"), (lambda p: p.write_bytes(b""), "is damaged")],
)
def test_a_lost_or_damaged_image_stops_it_and_leaves_nothing(
    damage: Any, match: str, world: World
) -> None:
    damage(world.folder / "store" / blob_key(world.ids[3]))
    with pytest.raises(DatasetError, match=rf"{world.ids[3]} \(belt_1/001.png\).*{match}"):
        world.export("coco")
    assert {p.name for p in world.folder.iterdir()} == {"store", "version"}


def test_progress_counts_images(world: World) -> None:
    told: list[tuple[int, int, str]] = []
    world.export("coco", progress=lambda *args: told.append(args))
    assert told == [(n, 6, "images copied") for n in range(1, 7)]


def test_of_two_exports_to_one_folder_the_first_stays(world: World) -> None:
    def meanwhile(done: int, total: int, what: str) -> None:
        if done == 6:
            world.export("yolo")

    with pytest.raises(DatasetError, match="nothing is ever overwritten"):
        world.export("coco", progress=meanwhile)
    assert read_export_record(world.folder / "out").format == "yolo"
    assert {p.name for p in world.folder.iterdir()} == {"store", "version", "out"}


def test_a_folder_that_cannot_be_made(world: World) -> None:
    (world.folder / "file").write_text("no folder")
    with pytest.raises(StorageError, match=r"Cannot make .*file/out: Not a directory"):
        world.export("coco", "file/out")


KILLED = """
import os, signal, sys
from pathlib import Path
from cv_pipeline.datasets.exporting.exports import export_version
from cv_pipeline.datasets.version import load_version
from cv_pipeline.storage import Blobs, open_store

folder = Path(sys.argv[1])
version = load_version(folder / "version")

def die(done, total, what):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)

export_version(
    version,
    format="coco",
    to=folder / "out",
    blobs=Blobs(open_store(str(folder / "store"))),
    progress=die,
)
"""


def test_a_killed_export_leaves_nothing_to_be_taken_for_one(world: World) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(world.folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (world.folder / "out").exists()
    world.export("coco")
    assert {p.name for p in world.folder.iterdir()} == {"store", "version", "out"}
