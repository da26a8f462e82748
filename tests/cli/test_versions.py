"""`cvp export`, `diff`, `history` and `verify` on a world on which everything was run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cv_pipeline.datasets.record import DatasetRecord, read_record, write_record
from tests.tiny_world import TinyWorld


def cvp(world: TinyWorld, *arguments: str, status: int = 0) -> Any:
    """Run a command with ``--json`` and return what it printed."""
    done = world.cvp(*arguments, "--json", check=False)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def dataset_folder(world: TinyWorld) -> Path:
    (folder,) = (world.home / "store" / "projects" / "tiny" / "datasets").iterdir()
    return folder


def test_an_export_becomes_a_project_again(materialized_world: TinyWorld, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = cvp(materialized_world, "export", "tiny@latest", "--format", "coco", "--to", str(out))
    assert told["dataset"] == dataset_folder(materialized_world).name
    assert told["lost"] == {}
    assert sum(split["images"] for split in told["splits"].values()) == 40
    assert cvp(materialized_world, "verify", "--folder", str(out))["ok"]

    other = TinyWorld(tmp_path / "other")
    made = cvp(other, "new", "again", "--images", str(out), "--annotations", str(out))

    assert (made["format"], made["task"], made["images"]) == ("coco", "detection", 40)
    folder = Path(made["project"]).parent
    assert sorted(p.name for p in (folder / "splits").iterdir()) == [
        "test.txt",
        "train.txt",
        "val.txt",
    ]
    header = (folder / "metadata.csv").read_text().splitlines()[0]
    assert header == "path,captured_at,camera"


def test_everything_is_as_it_says(materialized_world: TinyWorld) -> None:
    told = cvp(materialized_world, "verify", "tiny@latest", "--store")
    assert told["ok"], told["problems"]
    kinds = ("dataset", "candidate", "model", "predictions", "evaluation")
    assert {kind: told["checked"][kind] for kind in kinds} == {
        "dataset": 2, "candidate": 1, "model": 1, "predictions": 1, "evaluation": 1,
    }  # fmt: skip
    assert told["checked"]["images"] == 80


def test_what_was_altered_on_disk_is_named(own_world: TinyWorld) -> None:
    project = own_world.home / "store" / "projects" / "tiny"
    for kind, file in (
        ("models", "model.safetensors"),
        ("predictions", "predictions.json"),
        ("evaluations", "per_image.parquet"),
        ("candidates", "candidate.json"),
    ):
        (folder,) = (project / kind).iterdir()
        data = bytearray((folder / file).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / file).write_bytes(data)
    blob = next(p for p in (own_world.home / "store" / "blobs").rglob("*") if p.is_file())
    blob.write_bytes(b"other")

    told = cvp(own_world, "verify", "--store", status=1)

    found = {problem["kind"] for problem in told["problems"]}
    assert found == {"model", "predictions", "evaluation", "candidate", "image"}
    assert blob.name in {problem["thing"] for problem in told["problems"]}
    assert all(problem["do"] for problem in told["problems"])


def test_the_history_of_an_image(materialized_world: TinyWorld) -> None:
    told = cvp(materialized_world, "history", "003.png")
    changes = [(c["source"], c["change"], c.get("who")) for c in told["changes"]]
    assert changes[:2] == [("annotations", "added", "anna")] * 2
    assert changes[2][:2] == ("dataset", "joined")
    assert sorted(row["label"] for row in told["labels"]) == ["blue", "red"]


def test_the_difference_to_a_copy_that_was_changed(
    materialized_world: TinyWorld, tmp_path: Path
) -> None:
    assert cvp(materialized_world, "diff", "tiny@latest", "tiny@latest")["same"]
    folder = dataset_folder(materialized_world)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    record = read_record(DatasetRecord, copy / "dataset.json")
    write_record(record.model_copy(update={"query": "all images"}), copy / "dataset.json")
    import pyarrow.parquet as pq

    labels = pq.read_table(copy / "annotations.parquet")
    pq.write_table(labels.slice(1), copy / "annotations.parquet")

    told = cvp(materialized_world, "diff", str(folder), str(copy), "--rows", "5")

    assert told["labels"]["counts"] == {"removed": 1}
    assert len(told["label_rows"]) == 1
    assert told["rules"] == [f"query changed ({record.query} → all images)"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("verify",), "Nothing to verify was named"),
        (("history", "no such image"), "knows no image"),
        (("diff", "tiny@latest", "tiny@00000000"), "No dataset_version has the version"),
        (("export", "tiny@latest", "--format", "yolov8", "--to", "out"), "Did you mean 'yolo'"),
    ],
)
def test_mistakes_are_sentences(
    arguments: tuple[str, ...], message: str, materialized_world: TinyWorld
) -> None:
    told = cvp(materialized_world, *arguments, status=1)
    assert message in f"{told['error']} {told['do']}"


def test_text_for_people(materialized_world: TinyWorld, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    run = materialized_world.cvp
    told = run("export", "tiny@latest", "--format", "yolo", "--to", out).stdout
    assert "40 images, 80 labels as yolo" in told
    assert "yolo has no place for: annotator (80)" in told
    assert "all as they say they are" in run("verify", "--folder", out).stdout
    assert "the same images" in run("diff", "tiny@latest", "tiny@latest").stdout
    assert "now: blue, red" in run("history", "003.png").stdout
