"""Exports read by the libraries that they are for, and a real export through ours and back."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image

from cv_pipeline.annotations.formats import parse_export, read_export
from cv_pipeline.annotations.formats import webdataset as webdataset_format
from cv_pipeline.annotations.official_splits import official_splits
from cv_pipeline.annotations.resolve import resolve
from cv_pipeline.datasets.exporting.exports import export_version
from cv_pipeline.datasets.version import DatasetVersion
from cv_pipeline.imaging import inspect
from cv_pipeline.project import Ontology
from cv_pipeline.storage import Blobs, image_id_of, open_source, open_store
from tests.datasets.versions import LABELS, image_row, label_row, picture, write_version

SPLITS = ("train", "train", "val", "test")


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Blobs:
    return Blobs(open_store(str(tmp_path_factory.mktemp("store"))))


@pytest.fixture(scope="module")
def detection(blobs: Blobs, tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    ids = [blobs.put(picture(n)) for n in range(8)]
    images = [image_row(i, split=SPLITS[n % 4], path=f"{n}.png") for n, i in enumerate(ids)]
    labels = [label_row(i, k, label=LABELS[k]) for n, i in enumerate(ids) for k in range(1 + n % 3)]
    labels.pop()  # one image has fewer; the lists are ragged
    return write_version(tmp_path_factory.mktemp("detection"), images, labels)


@pytest.fixture(scope="module")
def classification(blobs: Blobs, tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    ids = [blobs.put(picture(n)) for n in range(8)]
    images = [image_row(i, split=SPLITS[n % 4], path=f"{n}.png") for n, i in enumerate(ids)]
    labels = [label_row(i, kind="class", label=LABELS[n % 3]) for n, i in enumerate(ids)]
    folder = tmp_path_factory.mktemp("classification")
    return write_version(folder, images, labels, task="classification")


def test_pycocotools(detection: DatasetVersion, blobs: Blobs, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    made = export_version(detection, format="coco", to=tmp_path / "out", blobs=blobs)
    objects = 0
    for split in ("train", "val", "test"):
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(made.folder / "annotations" / f"instances_{split}.json")
        for image in coco.loadImgs(coco.getImgIds()):
            assert (made.folder / "images" / split / image["file_name"]).is_file()
        found = coco.loadAnns(coco.getAnnIds(iscrowd=0))
        assert all(a["bbox"][2:] == [10.5, 17.25] and a["area"] == 181.125 for a in found)
        objects += len(found)
    assert objects == detection.objects
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(LABELS)


def samples(folder: Path, split: str) -> list[dict[str, Any]]:
    import webdataset

    shards = sorted(str(p) for p in folder.glob(f"dataset-{split}-*.tar"))
    return list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8"))


# the library leaves the shards for the garbage collector to close
leaves_files_open = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@leaves_files_open
def test_webdataset(detection: DatasetVersion, blobs: Blobs, tmp_path: Path) -> None:
    made = export_version(detection, format="webdataset", to=tmp_path / "out", blobs=blobs)
    rows = {row["image_id"]: row for row in detection.manifest.to_pylist()}
    seen = {}
    for split in ("train", "val", "test"):
        for sample in samples(made.folder, split):
            said = sample["json"]
            assert said["split"] == split == rows[said["image_id"]]["split"]
            assert sample["png"].shape == (30, 40, 3)
            seen[said["image_id"]] = len(said["annotations"])
    assert seen == {i: row["objects"] for i, row in rows.items()}


@leaves_files_open
def test_webdataset_of_classes(
    classification: DatasetVersion, blobs: Blobs, tmp_path: Path
) -> None:
    made = export_version(classification, format="webdataset", to=tmp_path / "out", blobs=blobs)
    labels = dict(
        zip(
            *(classification.annotations[c].to_pylist() for c in ("image_id", "label")), strict=True
        )
    )
    found = samples(made.folder, "train")
    assert len(found) == 4
    assert all(LABELS[s["cls"]] == labels[s["json"]["image_id"]] for s in found)


@leaves_files_open
def test_shards_are_bounded(
    detection: DatasetVersion, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 16_000  # two samples, and not three
    monkeypatch.setattr(webdataset_format, "_ROOM", room)
    made = export_version(detection, format="webdataset", to=tmp_path / "out", blobs=blobs)
    shards = sorted(made.folder.glob("dataset-train-*.tar"))
    assert [s.name for s in shards] == ["dataset-train-000000.tar", "dataset-train-000001.tar"]
    assert all(s.stat().st_size <= room + 10_240 for s in shards)
    assert len(samples(made.folder, "train")) == 4
    parsed = parse_export(read_export(open_source(str(made.folder / "*.tar"))))
    assert len(parsed.rows) == detection.objects


@pytest.fixture
def load_dataset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """``datasets.load_dataset`` without a network, with a home of its own."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    if "datasets" in sys.modules:  # its settings are read once
        monkeypatch.setattr(sys.modules["datasets"].config, "HF_DATASETS_CACHE", tmp_path / "home")
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset


def test_hugging_face(
    detection: DatasetVersion, blobs: Blobs, tmp_path: Path, load_dataset: Any
) -> None:
    made = export_version(detection, format="huggingface", to=tmp_path / "out", blobs=blobs)
    loaded = load_dataset("imagefolder", data_dir=str(made.folder))
    assert {name: len(split) for name, split in loaded.items()} == {
        "train": 4,
        "validation": 2,
        "test": 2,
    }
    rows = {row["image_id"]: row for row in detection.manifest.to_pylist()}
    for sample in (sample for split in loaded.values() for sample in split):
        assert sample["image"].size == (40, 30)
        assert len(sample["objects"]["bbox"]) == rows[sample["image_id"]]["objects"]
        assert set(sample["objects"]["category"]) <= set(LABELS)
        data = io.BytesIO(blobs.read(sample["image_id"]))
        assert np.array_equal(np.asarray(sample["image"]), np.asarray(Image.open(data)))


def test_hugging_face_of_classes(
    classification: DatasetVersion, blobs: Blobs, tmp_path: Path, load_dataset: Any
) -> None:
    made = export_version(classification, format="huggingface", to=tmp_path / "out", blobs=blobs)
    loaded = load_dataset("imagefolder", data_dir=str(made.folder), split="train")
    assert set(loaded["label"]) <= set(LABELS)
    assert all(LABELS[n] == x for n, x in zip(loaded["category_id"], loaded["label"], strict=True))


def imported(images_url: str, annotations_url: str, blobs: Blobs) -> tuple[pa.Table, pa.Table, Any]:
    """Images, labels and splits of an export, as the catalogue would hold them."""
    source = open_source(images_url)
    rows = []
    for path, data in source.read_many(e.path for e in source.list()):
        if path.lower().endswith((".jpg", ".png")):
            info = inspect(data, max_pixels=1 << 30, max_bytes=1 << 30)
            blobs.put(data)
            row = {"path": path, "image_id": image_id_of(data)}
            rows.append({**row, "width": info.width, "height": info.height, "format": info.format})
    images = pa.Table.from_pylist(rows)
    export = read_export(open_source(annotations_url))
    parsed = parse_export(export)
    labels = tuple(sorted(pc.unique(parsed.rows["label"]).to_pylist()))
    resolved = resolve(parsed, files=images, images=images, ontology=Ontology(labels=labels))
    splits = official_splits(export, parsed, image_paths=images["path"].combine_chunks())
    return images, resolved.rows, splits


def test_blood_cells_through_pascal_voc_and_back(
    real_data: Path, blobs: Blobs, tmp_path: Path
) -> None:
    archive = f"{real_data}/bccd.tar.gz!BCCD"
    images, labels, splits = imported(f"{archive}/JPEGImages", f"{archive}/Annotations", blobs)
    split_of = {Path(name).stem: split for split, s in splits.items() for name in s.images}
    rows = [
        image_row(
            row["image_id"],
            split=split_of[Path(row["path"]).stem],
            **{k: row[k] for k in ("path", "width", "height", "format")},
        )
        for row in images.to_pylist()
    ]
    classes = sorted(pc.unique(labels["label"]).to_pylist())
    version = write_version(tmp_path / "version", rows, labels.to_pylist(), classes=classes)
    made = export_version(version, format="pascal_voc", to=tmp_path / "out", blobs=blobs)
    assert made.images == 364
    assert set(made.lost) <= {"captured_at", "guideline_version", "ontology_version"}

    again = imported(f"{made.folder}/JPEGImages", f"{made.folder}/Annotations", blobs)

    assert sorted(again[0]["image_id"].to_pylist()) == sorted(images["image_id"].to_pylist())
    columns = ["image_id", "label", "x_min", "y_min", "x_max", "y_max", "attributes", "annotator"]
    before, after = (
        sorted(json.dumps(r) for r in t.select(columns).to_pylist()) for t in (labels, again[1])
    )
    assert before == after
    back = {Path(name).stem: split for split, s in again[2].items() for name in s.images}
    assert back == split_of
