"""A copied export is verified by its own list; whatever happened to a file is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cv_pipeline.datasets.exporting.exports import export_version
from cv_pipeline.datasets.exporting.record import (
    files_digest,
    read_export_record,
    write_export_record,
)
from cv_pipeline.errors import DatasetError
from cv_pipeline.storage import Blobs, open_store
from cv_pipeline.verification import verify_copy
from tests.datasets.versions import image_row, label_row, picture, write_version
from tests.verification.test_images import ignore


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    blobs = Blobs(open_store(str(tmp_path / "store")))
    ids = [blobs.put(picture(n)) for n in range(3)]
    images = [image_row(i, path=f"{n}.png") for n, i in enumerate(ids)]
    version = write_version(tmp_path / "version", images, [label_row(i) for i in ids])
    export_version(version, format="yolo", to=tmp_path / "export", blobs=blobs)
    return Path(shutil.copytree(tmp_path / "export", tmp_path / "elsewhere"))


def test_a_good_copy(copy: Path) -> None:
    found = verify_copy(copy, progress=ignore)
    assert found.ok
    assert found.checked == {"files": 7}


def alter(path: Path) -> None:
    path.write_text("0 0.5 0.5 0.1 0.1\n")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (Path.unlink, "labels/train/1.txt is missing."),
        (alter, "labels/train/1.txt was altered: it has 18 bytes and hashes to"),
        (lambda p: p.with_name("new.txt").write_text(""), "labels/train/new.txt is not listed"),
        (lambda p: p.with_name("more").symlink_to("/"), "labels/train/more is not listed"),
    ],
)
def test_what_differs_is_named(change: Callable[[Path], object], what: str, copy: Path) -> None:
    change(copy / "labels" / "train" / "1.txt")
    (problem,) = verify_copy(copy, progress=ignore).problems
    assert problem.what.startswith(what)
    assert problem.do


def test_an_altered_list_is_told_from_altered_files(copy: Path) -> None:
    listed = json.loads((copy / "export.json").read_text())
    listed["files"]["data.yaml"]["sha256"] = "0" * 64
    (copy / "export.json").write_text(json.dumps(listed))
    with pytest.raises(DatasetError, match=r"export\.json was altered"):
        verify_copy(copy, progress=ignore)


@pytest.mark.parametrize("outside", ["/dev/zero", "../elsewhere/data.yaml"])
def test_a_list_that_leads_out_of_the_folder_is_not_followed(outside: str, copy: Path) -> None:
    record = read_export_record(copy)
    files = {**record.files, outside: record.files["data.yaml"]}
    write_export_record(
        record.model_copy(update={"files": files, "digest": files_digest(files)}), copy
    )
    with pytest.raises(DatasetError, match="names a file that is not in the folder"):
        verify_copy(copy, progress=ignore)


def test_a_list_that_cannot_be_read(copy: Path) -> None:
    (copy / "export.json").write_text("{")
    with pytest.raises(DatasetError, match=r"export\.json cannot be read"):
        verify_copy(copy, progress=ignore)


def test_the_copy_of_a_dataset_version(copy: Path) -> None:
    folder = copy.with_name("version")
    assert verify_copy(folder, progress=ignore).ok
    (folder / "manifest.parquet").unlink()
    (problem,) = verify_copy(folder, progress=ignore).problems
    assert "manifest.parquet cannot be read" in problem.what


def test_any_other_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"neither export\.json nor dataset\.json"):
        verify_copy(tmp_path, progress=ignore)
