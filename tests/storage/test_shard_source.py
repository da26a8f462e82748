"""Several tar files as one source."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from cv_pipeline.errors import SourceError
from cv_pipeline.storage import open_source


def write_tar(path: Path, **members: bytes) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("_dot_", "."))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tar(tmp_path / "train-0.tar", b_dot_jpg=b"2", a_dot_jpg=b"1")
    write_tar(tmp_path / "train-1.tar", a_dot_jpg=b"3")
    write_tar(tmp_path / "val-0.tar", c_dot_jpg=b"4")
    (tmp_path / "notes.txt").write_text("no shard")
    return tmp_path


def test_each_shard_is_a_folder(folder: Path) -> None:
    source = open_source(f"{folder}/*.tar")
    assert [(e.path, e.size) for e in source.list()] == [
        ("train-0.tar/a.jpg", 1),
        ("train-0.tar/b.jpg", 1),
        ("train-1.tar/a.jpg", 1),
        ("val-0.tar/c.jpg", 1),
    ]
    assert source.read("train-1.tar/a.jpg") == b"3"
    assert source.url == f"{folder}/*.tar"
    assert open_source(source.url).list() == source.list()


def test_only_what_fits_the_pattern(folder: Path) -> None:
    assert {e.path.split("/")[0] for e in open_source(f"{folder}/val-*.tar").list()} == {
        "val-0.tar"
    }


def test_many_files_in_one_pass(folder: Path) -> None:
    source = open_source(f"{folder}/*.tar")
    wanted = ["val-0.tar/c.jpg", "train-0.tar/b.jpg", "train-0.tar/gone.jpg", "other.tar/a.jpg"]
    assert list(source.read_many(wanted)) == [
        ("train-0.tar/b.jpg", b"2"),
        ("val-0.tar/c.jpg", b"4"),
    ]


@pytest.mark.parametrize("path", ["train-0.tar/gone.jpg", "other.tar/a.jpg", "a.jpg", ""])
def test_a_file_that_is_not_there(path: str, folder: Path) -> None:
    with pytest.raises(SourceError, match=r"no (readable )?file"):
        open_source(f"{folder}/*.tar").read(path)


def test_a_pattern_that_nothing_fits(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No tar file fits"):
        open_source(f"{tmp_path}/*.tar")


def test_a_file_whose_name_has_a_star(tmp_path: Path) -> None:
    write_tar(tmp_path / "a*.tar", x_dot_jpg=b"1")
    assert [e.path for e in open_source(f"{tmp_path}/a*.tar").list()] == ["x.jpg"]


def test_a_damaged_shard(folder: Path) -> None:
    whole = (folder / "val-0.tar").read_bytes()
    (folder / "val-0.tar").write_bytes(whole[:512])
    with pytest.raises(SourceError, match="cannot be read as an archive"):
        open_source(f"{folder}/*.tar").list()
