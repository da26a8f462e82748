"""The difference of two versions: what came, went and changed, and a reason that is true."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_pipeline.catalog.schemas import TABLES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.differences import changed_rows
from cv_pipeline.datasets.differences.difference import Difference, difference
from cv_pipeline.datasets.version import DatasetVersion
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import Ontology, Split
from cv_pipeline.storage import open_store
from tests.datasets.versions import NOON, image_row, label_row, write_version


def sha(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


A, B, C = sorted(map(sha, "abc"))


@pytest.fixture
def compare(tmp_path: Path) -> Any:
    """Compares two worlds, each of images, labels and changes to its record."""

    def write(name: str, images: Any, labels: Any = (), **record: Any) -> DatasetVersion:
        return write_version(tmp_path / name, images, labels, **record)

    def run(before: Any, after: Any, catalog: Catalog | None = None) -> Difference:
        worlds = [w if isinstance(w, dict) else {"images": w} for w in (before, after)]
        first, second = (write(n, **w) for n, w in zip("xy", worlds, strict=True))
        return difference(first, second, catalog=catalog)

    return run


def told(changes: pa.Table, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[c] for c in columns) for row in changes.to_pylist()]


def test_equal_versions_do_not_differ(compare: Any) -> None:
    world = {"images": [image_row(A), image_row(B)], "labels": [label_row(A)]}
    found = compare(world, world)
    assert found.same
    assert found.rules == ()
    assert found.to_json()["images"] == {"counts": {}, "reasons": []}


def test_images_come_go_and_move(compare: Any) -> None:
    before = [image_row(A), image_row(B, split="val")]
    after = [image_row(B, split="test"), image_row(C, batch="second")]
    found = compare(before, after)
    columns = ("image_id", "change", "split_before", "split_after", "reason")
    assert told(found.images, *columns) == [
        (A, "removed", "train", None, "no longer selected"),
        (B, "moved", "val", "test", "was re-split"),
        (C, "added", None, "train", "not in the earlier version"),
    ]


def test_an_image_in_another_fold(compare: Any) -> None:
    before, after = [image_row(A, fold=1)], [image_row(A, fold=2)]
    columns = ("change", "split_after", "fold_before", "fold_after", "reason")
    assert told(compare(before, after).images, *columns) == [
        ("refolded", "train", 1, 2, "was re-split")
    ]


def test_a_version_of_before_there_were_folds(tmp_path: Path) -> None:
    made = [write_version(tmp_path / n, [image_row(A)], [label_row(A)]) for n in "xy"]
    manifest = tmp_path / "x" / "manifest.parquet"
    pq.write_table(pq.read_table(manifest).drop_columns(["fold"]), manifest)
    assert difference(*made).same
    pq.write_table(pq.read_table(manifest).drop_columns(["unit"]), manifest)
    with pytest.raises(DatasetError, match="it has no column unit"):
        difference(*made)


def test_labels_on_images_that_came_or_went_say_so(compare: Any) -> None:
    before = {"images": [image_row(A)], "labels": [label_row(A)]}
    after = {"images": [image_row(B)], "labels": [label_row(B)]}
    assert (
        told(compare(before, after).labels, "change", "with_image", "reason")
        == [
            ("removed", "removed", "its image was removed"),
            ("added", "added", "its image was added"),
        ]
        or A > B
    )


@pytest.mark.parametrize(
    ("changes", "fields", "reason"),
    [
        ({"label": "apple"}, "label", "the export says otherwise"),
        ({"x_max": 13.0, "y_max": 21.0}, "x_max,y_max", "the export says otherwise"),
        ({"attributes": '{"a":1}'}, "attributes", "the export says otherwise"),
        (
            {"annotator": "bob", "updated_at": NOON},
            "annotator",
            "changed by bob at 2025-03-01T12:30:15Z",
        ),
        ({"ontology_version": "2"}, "ontology_version", "ontology 1 → 2"),
        (
            {"guideline_version": "2", "label": "apple"},
            "label,guideline_version",
            "guideline 1 → 2; the export says otherwise",
        ),
    ],
)
def test_a_changed_label(changes: dict[str, Any], fields: str, reason: str, compare: Any) -> None:
    before = {"images": [image_row(A)], "labels": [label_row(A)]}
    after = {"images": [image_row(A)], "labels": [label_row(A, **changes)]}
    found = compare(before, after)
    assert told(found.labels, "change", "fields", "reason") == [("changed", fields, reason)]
    assert len(found.images) == 0


def test_times_and_files_alone_are_no_change(compare: Any) -> None:
    again = {"lead_time": 3.0, "updated_at": NOON, "source": "other.json", "original_id": "9"}
    before = {"images": [image_row(A)], "labels": [label_row(A)]}
    after = {"images": [image_row(A)], "labels": [label_row(A, **again)]}
    assert compare(before, after).same


def test_a_label_with_another_id_and_the_same_content_is_the_same(compare: Any) -> None:
    twice = [label_row(A, 0, annotation_id="1"), label_row(A, 0, annotation_id="2")]
    before = {"images": [image_row(A)], "labels": twice}
    after = {"images": [image_row(A)], "labels": [label_row(A, 0, annotation_id="3")]}
    found = compare(before, after)
    assert told(found.labels, "change", "annotation_id", "reason") == [
        ("removed", "2", "not in the later version")
    ]


def test_class_labels_have_no_box_to_differ_in(compare: Any) -> None:
    one = label_row(A, kind="class", annotation_id="1")
    before = {"images": [image_row(A)], "labels": [one], "task": "classification"}
    after = {**before, "labels": [{**one, "annotation_id": "2"}]}
    assert compare(before, after).same


def test_what_the_records_say(compare: Any) -> None:
    before = {"images": [image_row(A), image_row(B)]}
    after = {
        "images": [image_row(B, split="test"), image_row(C)],
        "rule": Split(seed=1),
        "query": "all images",
        "ontology": Ontology(labels=("pear",), version="2"),
    }
    found = compare(before, after)
    assert told(found.images, "reason") == [
        ("query changed (labelled → all images)",),
        ("split rule changed (seed 0 → 1)",),
        ("query changed (labelled → all images)",),
    ]
    assert found.rules == (
        "query changed (labelled → all images)",
        "split rule changed (seed 0 → 1)",
        "classes changed (pear, apple, kiwi & co → pear)",
        "ontology 1 → 2",
    )
    assert found.to_json(rows=1)["images"]["reasons"][0] == {
        "change": "added",
        "reason": "query changed",
        "count": 1,
    }


def test_an_image_that_moves_with_its_group_says_so(compare: Any) -> None:
    before = [image_row(A), image_row(B, split="test")]
    after = [image_row(A), image_row(B, split="train", unit=A)]
    assert told(compare(before, after).images, "reason") == [
        ("its near-duplicates or group changed",)
    ]


def test_an_image_that_may_have_been_left_out_is_not_said_to_be_unselected(compare: Any) -> None:
    after = {"images": [image_row(B)], "bridges": 2}
    found = compare([image_row(A), image_row(B)], after)
    assert told(found.images, "reason") == [("no longer selected, or left out between two splits",)]


class Lake:
    """Tables of a catalogue, and their versions as a dataset version would record them."""

    def __init__(self, folder: Path) -> None:
        self.catalog = Catalog(open_store(str(folder)), "fruit")

    def write(self, **tables: list[dict[str, Any]]) -> None:
        for name, rows in tables.items():
            self.catalog.table(name).replace(pa.Table.from_pylist(rows, schema=TABLES[name]))

    def versions(self) -> dict[str, int]:
        return self.catalog.versions()


def image(image_id: str, split: str | None = None) -> dict[str, Any]:
    row = image_row(image_id, source="s", bytes=1, ingested_at=NOON, split=split)
    return {name: row.get(name) for name in TABLES["images"].names}


def test_reasons_from_the_catalogue(compare: Any, tmp_path: Path) -> None:
    names = ["fresh", "labelled", "tagged", "kept", "gone", "unlabelled", "dropped", "official"]
    ids = {name: sha(name) for name in names}
    lake = Lake(tmp_path / "store")
    lake.write(
        images=[image(i) for n, i in ids.items() if n != "fresh"],
        annotations=[label_row(i) for n, i in ids.items() if n not in ("fresh", "labelled")],
        image_tags=[
            {"image_id": ids["tagged"], "tag": t, "present": True, "actor": "x", "at": NOON}
            for t in ("old",)
        ],
        image_metadata=[
            {"image_id": ids["tagged"], "key": "line", "value": "1", "actor": "x", "at": NOON}
        ],
    )
    before = {
        "images": [image_row(ids[n]) for n in ("gone", "unlabelled", "dropped", "official")],
        "table_versions": lake.versions(),
    }
    later = NOON + timedelta(hours=1)
    lake.write(
        images=[image(i, "test" if n == "official" else None) for n, i in ids.items()],
        annotations=[label_row(i) for n, i in ids.items() if n != "unlabelled"],
        takeouts=[{"image_id": ids["gone"], "reason": "asked", "actor": "x", "at": NOON}],
        image_tags=[
            {"image_id": ids["tagged"], "tag": t, "present": p, "actor": "x", "at": later}
            for t, p in (("old", False), ("new", True))
        ],
        image_metadata=[
            {"image_id": ids["tagged"], "key": "line", "value": v, "actor": "x", "at": at}
            for v, at in (("1", NOON), ("2", later))
        ],
    )
    after = {
        "images": [
            image_row(ids["official"], split="test"),
            *(image_row(ids[n], batch="b2") for n in ("fresh", "labelled", "tagged", "kept")),
        ],
        "table_versions": lake.versions(),
    }
    found = compare(before, after, lake.catalog)
    reasons = {row["image_id"]: row["reason"] for row in found.images.to_pylist()}
    assert {name: reasons[ids[name]] for name in names} == {
        "fresh": "ingested since (batch b2)",
        "labelled": "labelled since",
        "tagged": "metadata changed (line: 1 → 2); tags changed (+new, -old)",
        "kept": "selected now, and not then",
        "gone": "taken out",
        "unlabelled": "no longer labelled",
        "dropped": "no longer selected",
        "official": "official split changed (none → test)",
    }


def test_a_table_version_that_was_cleaned_up(compare: Any, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "store")
    lake.write(images=[image(A)])
    before = {"images": [image_row(A)], "table_versions": lake.versions()}
    lake.write(images=[image(A), image(B)])
    after = {"images": [image_row(A), image_row(B)], "table_versions": lake.versions()}
    assert told(compare(before, after, lake.catalog).images, "reason") == [
        ("ingested since (batch first)",)
    ]
    lake.catalog.table("images").cleanup(older_than=timedelta(0))
    found = compare(before, after, lake.catalog)
    assert told(found.images, "reason") == [("not in the earlier version",)]
    assert found.note.startswith("Version 2 of table images of project fruit does not exist")


def test_reasons_of_labels_from_the_catalogue(compare: Any, tmp_path: Path) -> None:
    old = [
        label_row(A, 0, annotator="ann"),
        label_row(A, 1, annotator="ann"),
        label_row(A, 2, annotator="bob"),
    ]
    new = label_row(A, 3, annotator="bob", created_at=NOON)
    lake = Lake(tmp_path / "store")
    lake.write(annotations=old)
    before = {"images": [image_row(A)], "labels": old[:2], "table_versions": lake.versions()}
    lake.write(annotations=[old[0], old[2], new])
    after = {"images": [image_row(A)], "labels": [old[2], new], "table_versions": lake.versions()}
    found = compare(before, after, lake.catalog)
    assert sorted(told(found.labels, "change", "reason")) == [
        ("added", "annotated by bob at 2025-03-01T12:30:15Z"),
        ("added", "in the catalogue before; the labels of bob count now"),
        ("removed", "no longer in the export"),
        ("removed", "still in the catalogue; the labels of ann count no longer"),
    ]


worlds = st.dictionaries(
    st.sampled_from([sha(str(n)) for n in range(8)]),
    st.tuples(
        st.sampled_from(["train", "val", "test"]),
        st.lists(st.sampled_from(["pear", "apple"]), max_size=3),
    ),
)


@settings(deadline=None, max_examples=25)
@given(before=worlds, after=worlds, size=st.integers(1, 9))
def test_any_two_worlds(
    tmp_path_factory: pytest.TempPathFactory, before: Any, after: Any, size: int
) -> None:
    folder = tmp_path_factory.mktemp("worlds")
    made = [
        write_version(
            folder / name,
            [image_row(i, split=split) for i, (split, _) in world.items()],
            [label_row(i, n, label=x) for i, (_, ls) in world.items() for n, x in enumerate(ls)],
        )
        for name, world in (("before", before), ("after", after))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changed_rows, "RANGE", size)
        found = difference(*made)
    splits = [{i: split for i, (split, _) in world.items()} for world in (before, after)]
    expected = sorted(
        (i, splits[0].get(i), splits[1].get(i))
        for i in {*before, *after}
        if splits[0].get(i) != splits[1].get(i)
    )
    assert told(found.images, "image_id", "split_before", "split_after") == expected
    labels = [
        {(i, n): x for i, (_, ls) in world.items() for n, x in enumerate(ls)}
        for world in (before, after)
    ]
    changed = {k for k in {*labels[0], *labels[1]} if labels[0].get(k) != labels[1].get(k)}
    assert len(found.labels) == len(changed)
    assert all(found.labels["reason"].to_pylist())
    assert all(found.images["reason"].to_pylist())


def test_a_version_that_lost_a_table(compare: Any, tmp_path: Path) -> None:
    made = [write_version(tmp_path / n, [image_row(A)], [label_row(A)]) for n in "xy"]
    (tmp_path / "y" / "annotations.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=r"annotations\.parquet cannot be read"):
        difference(*made)
