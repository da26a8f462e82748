"""Labels for images of the demo world that nobody had labelled."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cv_pipeline.annotations.formats import label_studio
from cv_pipeline.errors import SourceError
from cv_pipeline.samples import generate
from cv_pipeline.samples.fruit import Truth, label_more


@pytest.fixture
def folder(fruit_folder: Path, tmp_path: Path) -> Path:
    """The world without its pictures, which labelling does not look at."""
    out = tmp_path / "fruit"
    shutil.copytree(fruit_folder, out, ignore=shutil.ignore_patterns("images"))
    return out


def test_annotators_label_what_they_are_given_and_no_more(folder: Path, truth: Truth) -> None:
    waiting = truth.weak_slice.unlabelled_images[:12]
    given = [*waiting, truth.labelled[0]]
    assert label_more(folder, given, seed=0, name="dim") == 12
    files = {
        p.name: p.read_bytes() for p in (folder / "annotations").iterdir() if p.suffix == ".json"
    }
    assert set(files) == {"dim.json", "label_studio.json"}
    tasks = json.loads(files["dim.json"])
    boxes = {
        task["data"]["image"].partition("?d=")[2]: [
            r["value"] for r in task["annotations"][0]["result"] if r["type"] == "rectanglelabels"
        ]
        for task in tasks
    }
    assert sorted(boxes) == sorted(waiting)
    for path, said in boxes.items():
        shown = truth.images[path]
        assert [s["rectanglelabels"] for s in said] == [[f.label] for f in shown.fruit]
        for value, fruit in zip(said, shown.fruit, strict=True):
            assert abs(value["x"] / 100 * shown.width - fruit.box[0]) < 1
            assert abs((value["y"] + value["height"]) / 100 * shown.height - fruit.box[3]) < 1


def test_the_first_export_is_never_written_over(folder: Path, truth: Truth) -> None:
    file = folder / "annotations" / "label_studio.json"
    before = file.read_bytes()
    with pytest.raises(SourceError, match="'label_studio' cannot name an export"):
        label_more(folder, truth.weak_slice.unlabelled_images[:1], seed=0, name="label_studio")
    assert file.read_bytes() == before


def test_both_exports_are_read_together_without_a_clash(folder: Path, truth: Truth) -> None:
    annotations = folder / "annotations"
    first = {p.name: p.read_bytes() for p in annotations.iterdir()}
    before = label_studio.parse(first)
    for name, images in (
        ("one", truth.weak_slice.unlabelled_images[:5]),
        ("two", truth.weak_slice.unlabelled_images[5:9]),
    ):
        label_more(folder, images, seed=0, name=name)
    after = label_studio.parse({p.name: p.read_bytes() for p in annotations.iterdir()})
    assert len(after.images) == len(before.images) + 9
    assert after.quarantine == before.quarantine


def test_the_same_batch_gives_the_same_bytes(folder: Path, truth: Truth) -> None:
    images = truth.weak_slice.unlabelled_images[:4]
    label_more(folder, images, seed=0, name="a")
    label_more(folder, images[:2], seed=0, name="b")
    label_more(folder, images, seed=0, name="c")
    a, b, c = ((folder / "annotations" / f"{n}.json").read_text() for n in "abc")
    assert a == c
    assert json.loads(b) == json.loads(a)[:2]


def test_images_of_elsewhere_and_impossible_names(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"1 of 1 images are not in the demo world"):
        label_more(folder, ["elsewhere.jpg"], seed=0, name="a")
    with pytest.raises(SourceError, match="cannot name an export"):
        label_more(folder, [], seed=0, name="../a")
    assert label_more(folder, [], seed=0, name="empty") == 0
    assert not (folder / "annotations" / "empty.json").exists()


def test_labels_are_kept_when_the_world_is_asked_for_again(
    fruit_folder: Path, truth: Truth
) -> None:
    file = fruit_folder / "annotations" / "kept.json"
    label_more(fruit_folder, truth.weak_slice.unlabelled_images[:1], seed=0, name="kept")
    try:
        generate("fruit", fruit_folder, seed=0, progress=lambda done, total, what: None)
        assert file.is_file()
    finally:
        file.unlink()
