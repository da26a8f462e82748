from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from cv_pipeline.annotations.export import STAGE, import_annotations
from cv_pipeline.catalog.schemas import FILES, IMAGES, QUARANTINE
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import AnnotationError, OntologyError
from cv_pipeline.project import Project
from cv_pipeline.storage import ObjectStore, open_source, open_store

PROJECT = Project.model_validate(
    {
        "name": "pears",
        "task": "detection",
        "charter": {"problem": "Find pears."},
        "source": {"images": "unused"},
        "annotations": {"source": "unused"},
        "ontology": {"labels": ["pear", "apple"]},
        "training": {"model": "fcos_resnet18", "input_size": [96, 96]},
    }
)


def coco(*boxes: dict[str, object]) -> str:
    images = [{"id": i, "file_name": f"{name}.jpg"} for i, name in enumerate("abc")]
    entries = [
        {"id": i, "image_id": 0, "category_id": 1, "bbox": [i, 2, 3, 4]} | box
        for i, box in enumerate(boxes)
    ]
    return json.dumps(
        {"images": images, "categories": [{"id": 1, "name": "pear"}], "annotations": entries}
    )


def filled(schema: pa.Schema, rows: list[dict[str, object]]) -> pa.Table:
    """Rows of a schema in which what does not matter is 0, empty or null."""
    zero = {pa.string(): "", pa.int32(): 0, pa.int64(): 0}
    base = {f.name: None if f.nullable else zero.get(f.type, 0) for f in schema}
    return pa.Table.from_pylist([base | row for row in rows], schema=schema)


class World:
    """A project with two images, and an export that can be rewritten."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "export"
        self.folder.mkdir()
        self.gold: str | None = None
        self._gold_file = root / "gold.csv"
        self.store: ObjectStore = open_store(str(root / "store"))
        self.catalog = Catalog(self.store, PROJECT.name)
        ids = [{"path": f"{name}.jpg", "image_id": f"id-{name}"} for name in "ab"]
        self.catalog.table("files").merge(filled(FILES, ids), on=["path"])
        sizes = [{"width": 100, "height": 80} | row for row in ids]
        self.catalog.table("images").merge(filled(IMAGES, sizes), on=["image_id"])

    def write(self, text: str, name: str = "coco.json") -> None:
        (self.folder / name).write_text(text)

    def run(self):
        if self.gold is not None:
            self._gold_file.write_text(self.gold)
        return import_annotations(
            project=PROJECT,
            catalog=self.catalog,
            store=self.store,
            source=open_source(str(self.folder)),
            gold=None if self.gold is None else open_source(str(self._gold_file)),
        )

    def refused(self) -> list[tuple[str, str]]:
        rows = self.catalog.table("quarantine").read(filter=f"stage = '{STAGE}'").to_pylist()
        return sorted((row["field"], row["reason"]) for row in rows)


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    return World(tmp_path)


def test_import_fills_the_table_and_counts(world):
    world.write(coco({}, {"image_id": 1}, {"bbox": [0, 0, 0, 9]}, {"image_id": 2}))

    report = world.run()

    rows = world.catalog.table("annotations").read(version=report.version)
    assert rows["image_id"].to_pylist() == ["id-a", "id-b"]
    assert (report.format, report.rows, report.images, report.annotators) == ("coco", 2, 2, 1)
    assert report.quarantined == {"unknown_image": 1, "zero_area_box": 1}
    assert world.refused() == [
        ("annotations[2].bbox", "zero_area_box"),
        ("annotations[3].image_id", "unknown_image"),
    ]
    assert world.store.read(report.frozen[0]) == (world.folder / "coco.json").read_bytes()


def test_second_import_of_the_same_changes_nothing(world):
    world.write(coco({}, {"bbox": None}))
    first = world.run()
    versions = world.catalog.versions()

    assert world.run() == first
    assert world.catalog.versions() == versions


def test_changed_export_replaces_the_rows_and_the_refusals(world):
    world.write(coco({}, {"bbox": None}, {"category_id": 5}))
    first = world.run()
    world.write(coco({}, {}, {"category_id": 5}))

    second = world.run()

    assert (first.rows, second.rows) == (1, 2)
    assert first.digest != second.digest
    assert first.version < second.version
    assert world.refused() == [("annotations[2].category_id", "unknown_label")]
    assert world.catalog.table("annotations").read(version=first.version).num_rows == 1


def test_digest_does_not_depend_on_where_the_export_lies(world, tmp_path):
    world.write(coco({}, {"image_id": 1}))
    (tmp_path / "elsewhere").mkdir()
    other = World(tmp_path / "elsewhere")
    other.write(coco({}, {"image_id": 1}))

    assert other.run().digest == world.run().digest


def test_several_files_are_frozen_as_one_archive_that_repeats(world):
    world.write(coco({}), "train.json")
    world.write(coco({}, {"image_id": 1}), "val.json")

    first, second = world.run(), world.run()

    assert first.frozen == second.frozen
    with tarfile.open(fileobj=io.BytesIO(world.store.read(first.frozen[0]))) as archive:
        assert archive.getnames() == ["train.json", "val.json"]


def test_annotations_of_quarantined_images_are_refused_as_such(world):
    row = {"stage": "raw_images", "file": "c.jpg", "reason": "corrupt_image"}
    world.catalog.table("quarantine").merge(
        filled(QUARANTINE, [row]), on=["stage", "file", "field"]
    )
    world.write(coco({}, {"image_id": 2}))

    assert world.run().quarantined == {"refused_image": 1}


def test_export_without_one_usable_annotation_leaves_the_table_as_it_was(world):
    world.write(coco({}))
    before = world.run()
    world.write(coco({"image_id": 2}, {"bbox": [500, 500, 5, 5]}))

    with pytest.raises(AnnotationError, match=r"Not one of the 2 .* 1 × out_of_frame_box, 1 × unk"):
        world.run()
    assert world.catalog.table("annotations").version == before.version
    assert len(world.refused()) == 2


def test_half_written_export_leaves_the_table_as_it_was(world):
    world.write(coco({}))
    before = world.run()
    world.write(coco({})[:-20])

    with pytest.raises(AnnotationError, match=r"coco\.json: Not valid JSON: .* line 1 column"):
        world.run()
    assert world.catalog.table("annotations").version == before.version
    assert [reason for _, reason in world.refused()] == ["not_json"]


TASK = {
    "data": {"image": "a.jpg"},
    "annotations": [
        {
            "id": 5,
            "result": [
                {
                    "id": "r1",
                    "type": "rectanglelabels",
                    "original_width": 100,
                    "original_height": 80,
                    "value": {
                        "x": 10,
                        "y": 20,
                        "width": 30,
                        "height": 40,
                        "rectanglelabels": ["pear"],
                    },
                }
            ],
        }
    ],
}
CONFIG = """<View><Image name="image" value="$image"/>
<RectangleLabels name="label" toName="image"><Label value="pear"/></RectangleLabels></View>"""


@pytest.mark.parametrize("with_gold", [False, True])
@pytest.mark.parametrize("config", [None, CONFIG, "<View><Choices"])
@pytest.mark.parametrize(
    ("broken", "match", "reason"),
    [
        (json.dumps([TASK])[:-20], r"export\.json: Not valid JSON", "not_json"),
        (
            json.dumps([{"image": "a.jpg", "label": [], "data": {}}, {"annotations": None}]),
            r"export as JSON, not JSON-MIN",
            "missing_field",
        ),
    ],
    ids=["half written", "no list of annotations"],
)
def test_labelling_configuration_does_not_make_a_broken_export_an_empty_one(
    world, config, with_gold, broken, match, reason
):
    if with_gold:
        world.gold = "image,label\na.jpg,pear\nz.jpg,pear\n"
    if config is not None:
        world.write(config, "config.xml")
    world.write(json.dumps([TASK]), "export.json")
    before = world.run()
    assert before.rows == 1 + with_gold
    world.write(broken, "export.json")

    with pytest.raises(AnnotationError, match=match) as caught:
        world.run()

    assert caught.value.do
    assert world.catalog.table("annotations").version == before.version
    reasons = {r for _, r in world.refused()}
    assert reason in reasons
    assert ("unknown_image" in reasons) == with_gold, "what was refused of the gold labels holds"
    assert ("not_xml" in reasons) == (config == "<View><Choices")

    world.write(json.dumps([TASK]), "export.json")
    assert world.run() == before
    assert reason not in {r for _, r in world.refused()}


def test_broken_gold_labels_leave_the_table_as_it_was_and_are_quarantined(world):
    world.write(coco({}, {"bbox": None}))
    before = world.run()
    world.gold = "image\na.jpg\n"

    with pytest.raises(AnnotationError, match=r"gold\.csv: Expected the columns image and label"):
        world.run()

    assert world.catalog.table("annotations").version == before.version
    assert world.refused() == [("annotations[1].bbox", "bad_box"), ("header", "missing_column")]


def test_half_written_file_beside_a_whole_one_is_quarantined_and_the_rest_goes_on(world):
    world.write(coco({}), "bad.json")
    world.write(coco({"image_id": 1}), "good.json")
    assert world.run().rows == 2
    world.write(coco({})[:-20], "bad.json")

    report = world.run()

    rows = world.catalog.table("annotations").read(version=report.version)
    assert rows["source"].to_pylist() == ["good.json"]
    assert report.quarantined == {"not_json": 1}
    assert [reason for _, reason in world.refused()] == ["not_json"]


@pytest.mark.parametrize(
    ("name", "empty"),
    [
        ("coco.json", coco()),
        ("export.json", json.dumps([TASK | {"annotations": []}])),
        ("labels.csv", "image,label\n"),
    ],
)
def test_an_export_that_says_that_there_is_nothing_empties_the_table(world, name, empty):
    full = {"coco.json": coco({}), "export.json": json.dumps([TASK])}
    world.write(full.get(name, "image,label\na.jpg,pear\n"), name)
    assert world.run().rows == 1
    world.write(empty, name)

    report = world.run()

    assert (report.rows, report.quarantined) == (0, {})
    assert world.catalog.table("annotations").read(version=report.version).num_rows == 0


def test_tables_are_read_at_the_versions_that_are_named(world):
    world.write(coco({}, {"image_id": 1}))
    files = world.catalog.table("files")
    early = files.version
    files.replace(filled(FILES, [{"path": "b.jpg", "image_id": "id-b"}]))

    report = import_annotations(
        project=PROJECT,
        catalog=world.catalog,
        store=world.store,
        source=open_source(str(world.folder)),
        table_versions={"files": early},
    )

    assert report.images == 2


class TestOlderVersions:
    """Labels that were made under an older version of the ontology."""

    @staticmethod
    def run(world: World, **ontology: object):
        project = PROJECT.model_dump(by_alias=True, mode="json")
        project["annotations"]["ontology_version"] = "1"
        project["ontology"] |= {
            "version": "2",
            "original": {"labels": ["pear", "apple"]},
            "migrations": [{"from": "1", "to": "2", "steps": ontology.pop("steps")}],
            **ontology,
        }
        return import_annotations(
            project=Project.model_validate(project),
            catalog=world.catalog,
            store=world.store,
            source=open_source(str(world.folder)),
        )

    def test_labels_come_along_with_the_new_name_and_say_what_they_were(self, world):
        world.write(coco({}))
        report = self.run(world, steps=[{"rename": {"pear": "fruit"}}], labels=["fruit", "apple"])
        (row,) = world.catalog.table("annotations").read().to_pylist()
        assert (row["label"], row["ontology_version"]) == ("fruit", "2")
        assert json.loads(row["attributes"]) == {"ontology.was": "pear@1"}
        assert (report.relabel, world.refused()) == ((), [])
        again = self.run(world, steps=[{"rename": {"pear": "fruit"}}], labels=["fruit", "apple"])
        assert (again.digest, again.version) == (report.digest, report.version)

    def test_what_only_people_can_tell_is_quarantined_and_set_aside(self, world):
        world.write(coco({}, {"image_id": 1}))
        steps = [{"split": {"label": "pear", "into": ["big", "small"]}}]
        labels = ["big", "small", "apple"]
        report = self.run(world, steps=steps, labels=labels)
        assert world.refused() == [
            ("0", "label_to_be_made_again"),
            ("1", "label_to_be_made_again"),
        ]
        assert report.relabel == ("ontology-2",)
        aside = world.catalog.table("image_batches").read()
        assert sorted(aside["image_id"].to_pylist()) == ["id-a", "id-b"]
        self.run(world, steps=steps, labels=labels)
        assert len(world.catalog.table("image_batches").read()) == 2

    def test_classes_that_changed_under_their_version_are_refused(self, world):
        world.write(coco({}))
        world.run()
        changed = PROJECT.model_copy(
            update={"ontology": PROJECT.ontology.model_copy(update={"labels": ("pear",)})}
        )
        with pytest.raises(OntologyError, match="labels lost 'apple'"):
            import_annotations(
                project=changed,
                catalog=world.catalog,
                store=world.store,
                source=open_source(str(world.folder)),
            )
        assert len(world.catalog.table("annotations").read()) == 1
