from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cv_pipeline.catalog.ingest.declarations import (
    Declarations,
    image_facts,
    image_tag_lists,
    image_values,
    read_declarations,
    split_conflicts,
)
from cv_pipeline.catalog.ingest.known_files import KnownFiles
from cv_pipeline.errors import SourceError
from tests.catalog.lake_world import make_project

PATHS = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
FILES = KnownFiles(listed=pa.array(PATHS), vanished=pa.array([], pa.string()))
IMAGES = pa.table({"path": PATHS, "image_id": ["1", "2", "3", "1", "4"]})  # d is a copy of a


def declared(folder: Path, *, gold: str = "", sidecar: str = "", **splits: str) -> Declarations:
    named: dict[str, Any] = {}
    if sidecar:
        (folder / "metadata.csv").write_text(sidecar)
        named["metadata"] = str(folder / "metadata.csv")
    if gold:
        (folder / "gold.csv").write_text(gold)
        named["gold"] = str(folder / "gold.csv")
    for split, text in splits.items():
        (folder / f"{split}.txt").write_text(text)
        named.setdefault("splits", {})[split] = str(folder / f"{split}.txt")
    return read_declarations(make_project("images", **named), known=FILES)


def splits_of(declarations: Declarations) -> dict[str, str]:
    rows = image_facts(declarations, files=IMAGES).to_pylist()
    return {row["image_id"]: row["split"] for row in rows if row["split"]}


def test_nothing_is_declared(tmp_path: Path) -> None:
    nothing = declared(tmp_path)
    facts = image_facts(nothing, files=IMAGES)
    assert facts["image_id"].to_pylist() == ["1", "2", "3", "4"]
    assert facts["split"].null_count == facts["captured_at"].null_count == 4
    assert image_values(nothing, files=IMAGES).num_rows == 0
    assert image_tag_lists(nothing, files=IMAGES).num_rows == 0
    assert nothing.refusals == split_conflicts(nothing, files=IMAGES) == []


class TestSplits:
    def test_lists_name_files_or_stems(self, tmp_path: Path) -> None:
        found = declared(tmp_path, train="a\nb.jpg\n\n", test="  c.jpg  \r\nzzz\n")
        assert splits_of(found) == {"1": "train", "2": "train", "3": "test"}
        assert [(r.field, r.reason) for r in found.refusals] == [("zzz", "unknown_image")]

    def test_the_sidecar_declares_them_too(self, tmp_path: Path) -> None:
        found = declared(tmp_path, sidecar="path,split\nb.jpg,val\nc.jpg,\n", train="a")
        assert splits_of(found) == {"1": "train", "2": "val"}

    def test_gold_images_are_held_out_whatever_else_is_said(self, tmp_path: Path) -> None:
        found = declared(tmp_path, train="a\nb", gold="image,label\nb.jpg,cat\ne.jpg,dog\nq,cat\n")
        assert splits_of(found) == {"1": "train", "2": "test", "4": "test"}
        assert split_conflicts(found, files=IMAGES) == []
        assert [(r.file, r.field) for r in found.refusals] == [(str(tmp_path / "gold.csv"), "q")]

    def test_a_name_in_two_lists_goes_to_the_stricter(self, tmp_path: Path) -> None:
        found = declared(tmp_path, train="a\nb", val="b\nc", test="c")
        assert splits_of(found) == {"1": "train", "2": "val", "3": "test"}
        conflicts = split_conflicts(found, files=IMAGES)
        assert [(Path(r.file).name, r.field, r.reason) for r in conflicts] == [
            ("train.txt", "b: split", "conflicting_split"),
            ("val.txt", "c: split", "conflicting_split"),
        ]
        assert "'b' is put into train here" in conflicts[0].detail

    def test_so_do_copies_of_one_image(self, tmp_path: Path) -> None:
        found = declared(tmp_path, train="a", test="d")
        assert splits_of(found) == {"1": "test"}
        assert [r.field for r in split_conflicts(found, files=IMAGES)] == ["a: split"]

    def test_a_list_that_is_missing_is_named(self, tmp_path: Path) -> None:
        project = make_project("images", splits={"test": str(tmp_path / "tset.txt")})
        with pytest.raises(SourceError, match=r"tset\.txt"):
            read_declarations(project, known=FILES)

    def test_a_list_that_is_no_text_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "test.txt").write_bytes(b"\xff\xfe\x00")
        project = make_project("images", splits={"test": str(tmp_path / "test.txt")})
        with pytest.raises(SourceError, match=r"test\.txt is not UTF-8"):
            read_declarations(project, known=FILES)


SIDECAR = """\
path,captured_at,tags,scene
a.jpg,,x,
b.jpg,2025-01-02,,belt
d.jpg,2025-01-01,y;x,yard
"""


class TestCopies:
    """a and d are one image: the smallest path that says anything counts; tags add up."""

    def test_values(self, tmp_path: Path) -> None:
        found = image_values(declared(tmp_path, sidecar=SIDECAR), files=IMAGES).to_pylist()
        assert found == [
            {"image_id": "1", "key": "scene", "value": "yard"},
            {"image_id": "2", "key": "scene", "value": "belt"},
        ]

    def test_tags(self, tmp_path: Path) -> None:
        found = image_tag_lists(declared(tmp_path, sidecar=SIDECAR), files=IMAGES).to_pylist()
        assert found == [
            {"image_id": "1", "tag": "x"},
            {"image_id": "1", "tag": "y"},
            {"image_id": "2", "tag": None},  # declared to have none
        ]

    def test_capture_times(self, tmp_path: Path) -> None:
        rows = image_facts(declared(tmp_path, sidecar=SIDECAR), files=IMAGES).to_pylist()
        assert [row["captured_at"] for row in rows[:3]] == [
            dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
            dt.datetime(2025, 1, 2, tzinfo=dt.UTC),
            None,
        ]

    def test_only_the_files_that_are_asked_for_count(self, tmp_path: Path) -> None:
        one = IMAGES.slice(0, 1)
        found = declared(tmp_path, sidecar=SIDECAR)
        assert image_values(found, files=one).to_pylist() == [
            {"image_id": "1", "key": "scene", "value": None}
        ]
        assert image_facts(found, files=one).num_rows == 1
