"""`cvp check leakage` on plain folders: what CI sees, with no project and no state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from cv_pipeline.cli import app
from tests.datasets.pictures import (
    Picture,
    cropped,
    cropped_and_mirrored,
    free_scene,
    mirrored,
    re_encoded,
)

Pictures = list[Picture]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    rng = np.random.default_rng(0)
    return [free_scene(rng) for _ in range(12)]


def save(picture: Picture, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **({"quality": 90} if path.suffix == ".jpg" else {}))
    return path


@pytest.fixture
def folders(tmp_path: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working directory with ``train`` and ``val`` that share nothing."""
    for number, picture in enumerate(pictures):
        side = "train" if number % 2 == 0 else "val"
        save(picture, tmp_path / side / "deep" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["check", "leakage", *arguments])


def found(*arguments: str) -> dict[str, Any]:
    result = check(*arguments, "--json")
    answer: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (1 if answer["pairs"] else 0), result.output
    return answer


def test_nothing_is_found_where_nothing_is(folders: Path) -> None:
    assert found("train", "val") == {"pairs": [], "images": 12, "unreadable": [], "threshold": 6}
    result = check("train", "val")
    assert result.exit_code == 0
    assert "12 images: 0 pairs between folders and 0 within one." in result.stdout


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (re_encoded, "same"),
        (mirrored, "mirrored"),
        (cropped, "cropped"),
        (cropped_and_mirrored, "cropped_mirrored"),
    ],
    ids=lambda x: getattr(x, "__name__", x),
)
def test_copies_between_folders(
    folders: Path,
    pictures: Pictures,
    change: Callable[[np.random.Generator, Picture], Picture],
    kind: str,
) -> None:
    save(change(np.random.default_rng(1), pictures[4]), folders / "val" / "copy.jpg")
    (pair,) = found("train", "val")["pairs"]
    assert pair.pop("distance") <= 6
    assert pair == {"a": "train/deep/4.png", "b": "val/copy.jpg", "kind": kind, "within": False}
    assert Path(pair["a"]).is_file()  # as given, so that it can be opened


def test_exact_copies_hide_other_kinds_and_come_between_folders_first(folders: Path) -> None:
    data = Path("train/deep/0.png").read_bytes()
    for copy in ("train/again.png", "val/copy.png"):
        Path(copy).write_bytes(data)
    pairs = found("train", "val")["pairs"]
    assert [(p["a"], p["b"], p["within"]) for p in pairs] == [
        ("train/again.png", "val/copy.png", False),
        ("train/deep/0.png", "val/copy.png", False),
        ("train/again.png", "train/deep/0.png", True),
    ]
    assert {(p["kind"], p["distance"]) for p in pairs} == {("exact", 0)}
    between = found("train", "val", "--between-only")["pairs"]
    assert [p["within"] for p in between] == [False, False]


def test_long_names_are_shown_whole(folders: Path, pictures: Pictures) -> None:
    name = "a" * 100
    save(pictures[1], folders / "train" / f"{name}.jpg")
    shown = check("train", "val").stdout
    assert shown.count("a") >= len(name)
    assert "…" not in shown


def test_pairs_within_one_folder(folders: Path, pictures: Pictures) -> None:
    save(pictures[2][:, ::-1], folders / "train" / "turned.png")
    (pair,) = found("train")["pairs"]
    assert (pair["kind"], pair["within"]) == ("mirrored", True)
    assert found("train", "--between-only")["pairs"] == []


def test_many_files_of_one_content_are_paired_with_the_first_of_each_folder(
    tmp_path: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = save(pictures[0], tmp_path / "train" / "000.png").read_bytes()
    for number in range(1, 500):
        (tmp_path / "train" / f"{number:03}.png").write_bytes(data)
    (tmp_path / "val").mkdir()
    for number in range(3):
        (tmp_path / "val" / f"{number}.png").write_bytes(data)
    save(re_encoded(np.random.default_rng(0), pictures[0]), tmp_path / "val" / "other.jpg")
    pairs = found("train", "val")["pairs"]
    exact = [p for p in pairs if p["kind"] == "exact"]
    between = {p["a"] for p in exact if not p["within"]} | {
        p["b"] for p in exact if not p["within"]
    }
    assert len(between) == 503  # every file that leaks is named
    assert len(exact) == 1 + 2 * 499 + 2 * 2
    others = [p for p in pairs if p["kind"] != "exact"]
    assert [(p["a"], p["b"]) for p in others] == [
        ("train/000.png", "val/other.jpg"),
        ("val/0.png", "val/other.jpg"),
    ]


def test_the_threshold_is_the_distance(folders: Path, pictures: Pictures) -> None:
    save(mirrored(np.random.default_rng(1), pictures[4]), folders / "val" / "copy.jpg")
    distances = {n: [p["distance"] for p in found("val", "train", "--threshold", n)["pairs"]]
                 for n in ("0", "6", "16")}  # fmt: skip
    assert all(d <= 6 for d in distances["6"])
    assert distances["0"] in ([], [0])
    assert len(distances["16"]) >= len(distances["6"]) == 1


def test_files_that_cannot_be_read_are_told_and_the_rest_goes_on(folders: Path) -> None:
    whole = Path("train/deep/0.png").read_bytes()
    Path("train/cut.png").write_bytes(whole[: len(whole) // 2])
    Path("train/empty.jpg").write_bytes(b"")
    Path("train/empty_too.jpg").write_bytes(b"")
    Path("train/text.jpg").write_text("no picture")
    Path("train/labels.txt").write_text("0 0.5 0.5 0.1 0.1")
    Path("train/loop").symlink_to(folders / "train")
    deep = np.arange(160 * 120, dtype=np.uint16).reshape(120, 160) * 3
    Image.fromarray(deep).save("val/deep16.png")
    answer = found("train", "val")
    assert (answer["pairs"], answer["images"]) == ([], 13)
    assert {(u["file"], u["reason"]) for u in answer["unreadable"]} == {
        ("train/cut.png", "corrupt_image"),
        ("train/empty.jpg", "empty_file"),
        ("train/empty_too.jpg", "empty_file"),
        ("train/text.jpg", "not_an_image"),
    }
    text = check("train", "val").stdout
    assert "not read: train/cut.png: The PNG is damaged" in text
    assert "4 files could not be read." in text


def test_archives_work_as_elsewhere(folders: Path) -> None:
    with zipfile.ZipFile("val.zip", "w") as archive:
        archive.write("train/deep/0.png", "images/0.png")
    assert found("train", "val.zip")["pairs"][0]["b"] == "val.zip!images/0.png"
    assert found("train", "val.zip!images")["pairs"][0]["b"] == "val.zip!images/0.png"
    single = found("val.zip!images/0.png", "train/deep/0.png")["pairs"]
    assert [(p["a"], p["b"]) for p in single] == [("val.zip!images/0.png", "train/deep/0.png")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "vall"], "There is no file or folder vall. Did you mean 'val'"),
        (["train", "none"], "There is no readable image in none."),
        (["train", "bad"], "There is no readable image in bad."),
        (["train", "train"], "train is named twice"),
        (["train", "train/deep"], "train/deep lies in train"),
        (["link", "train"], "link is named twice"),
        (["train", "--threshold", "17"], "Invalid value for '--threshold'"),
        (["train", "--threshold", "-1"], "Invalid value for '--threshold'"),
        ([], "Missing argument 'DIR'"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_what_cannot_be_checked_has_status_2(
    folders: Path, arguments: list[str], message: str
) -> None:
    Path("none").mkdir()
    Path("none/notes.txt").write_text("no image")
    Path("bad").mkdir()
    Path("bad/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("link").symlink_to("train")
    result = check(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("→", "").split())


def test_it_needs_no_project_and_leaves_nothing_behind(folders: Path) -> None:
    foreign = ("CV_", "DAGSTER_", "MLFLOW_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    before = sorted(folders.rglob("*"))
    command = [str(Path(sys.executable).with_name("cvp")), "check", "leakage", "--json"]

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        done = subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, json.loads(done.stdout)

    status, answer = run("train", "val")
    assert (status, answer["images"]) == (0, 12)
    status, answer = run("train", "nowhere")
    assert status == 2
    assert answer["error"] == "There is no file or folder nowhere."
    assert sorted(folders.rglob("*")) == before
