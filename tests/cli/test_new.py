"""`cvp new` on each format, and the project in the lineage graph without any Python."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest
from PIL import Image
from typer.testing import CliRunner

from cv_pipeline.cli import app
from cv_pipeline.datasets.exporting.exports import export_version, written_formats
from cv_pipeline.errors import AnnotationError, ProjectError
from cv_pipeline.project import load_project
from cv_pipeline.storage import Blobs, open_source, open_store
from tests.datasets.versions import LABELS, image_row, label_row, picture, write_version

BOX = {"xmin": 4, "ymin": 5, "xmax": 30, "ymax": 31}


@pytest.fixture
def projects(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    return tmp_path / "projects"


@pytest.fixture
def images(tmp_path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (64, 48), (number * 80, 90, 30)).save(folder / f"{number}.png")
    return folder


def coco(folder: Path) -> Path:
    path = folder / "labels.json"
    annotation = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [4, 5, 26, 26]}
    path.write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "0.png", "width": 64, "height": 48}],
                "categories": [{"id": 7, "name": "cat"}],
                "annotations": [annotation],
            }
        )
    )
    return path


def pascal_voc(folder: Path) -> Path:
    (folder / "xml").mkdir()
    box = "".join(f"<{k}>{v}</{k}>" for k, v in BOX.items())
    (folder / "xml" / "0.xml").write_text(
        "<annotation><filename>0.png</filename><size><width>64</width><height>48</height></size>"
        f"<object><name>cat</name><bndbox>{box}</bndbox></object></annotation>"
    )
    return folder / "xml"


def yolo(folder: Path) -> Path:
    (folder / "yolo" / "labels").mkdir(parents=True)
    (folder / "yolo" / "data.yaml").write_text("names: [cat]\n")
    (folder / "yolo" / "labels" / "0.txt").write_text("0 0.3 0.4 0.4 0.5\n")
    return folder / "yolo"


def labels_csv(folder: Path) -> Path:
    path = folder / "labels.csv"
    path.write_text("image,label\n0.png,cat\n1.png,dog\n")
    return path


def new(images: Path, annotations: Path, name: str = "mine"):
    arguments = ["new", name, "--images", str(images), "--annotations", str(annotations), "--json"]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.mark.parametrize(
    ("write", "task", "labels"),
    [
        (coco, "detection", ("cat",)),
        (pascal_voc, "detection", ("cat",)),
        (yolo, "detection", ("cat",)),
        (labels_csv, "classification", ("cat", "dog")),
    ],
)
def test_each_format_gives_a_project(projects, images, tmp_path, write, task, labels):
    done = new(images, write(tmp_path))
    assert done.exit_code == 0
    assert json.loads(done.stdout)["task"] == task
    path = projects / "mine" / "project.yaml"
    project = load_project(path)
    assert project.task == task
    assert project.ontology.labels == labels
    assert "# " in path.read_text()  # it is commented


@pytest.mark.parametrize("task", ["detection", "classification"])
@pytest.mark.parametrize("name", ["coco", "huggingface", "pascal_voc", "webdataset", "yolo"])
def test_an_export_of_each_format_gives_a_project(projects, tmp_path, name, task):
    if name not in written_formats(task):
        pytest.skip("the format has no usual way to say the class of an image")
    blobs = Blobs(open_store(str(tmp_path / "store")))
    ids = [blobs.put(picture(n)) for n in range(6)]
    splits = ("train", "val", "test")
    kind = {} if task == "detection" else {"kind": "class"}
    version = write_version(
        tmp_path / "version",
        [image_row(i, split=splits[n % 3], path=f"{n}.png") for n, i in enumerate(ids)],
        [label_row(i, label=LABELS[n % 3], **kind) for n, i in enumerate(ids)],
        task=task,
    )
    out = export_version(version, format=name, to=tmp_path / "out", blobs=blobs).folder
    url = out / "*.tar" if name == "webdataset" else out

    done = new(url, url)

    assert done.exit_code == 0
    project = load_project(projects / "mine" / "project.yaml")
    assert project.task == task
    assert set(project.ontology.labels) == set(LABELS)
    assert set(project.source.splits) == set(splits)
    images = open_source(project.source.images)
    assert len([e for e in images.list() if e.path.endswith(".png")]) == 6


def test_it_appears_in_the_lineage_graph(projects, images, tmp_path, monkeypatch):
    (tmp_path / "dagster").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    new(images, coco(tmp_path))
    from cv_pipeline.definitions import build_definitions

    graph = build_definitions(projects).get_repository_def().asset_graph
    assert graph.has(dg.AssetKey(["mine", "trained_model"]))


def test_a_second_project_of_the_name_and_a_bad_name_are_refused(projects, images, tmp_path):
    annotations = coco(tmp_path)
    new(images, annotations)
    with pytest.raises(ProjectError, match="exists already"):
        new(images, annotations)
    for name in ("No-Good", "../outside"):
        with pytest.raises(ProjectError, match="is not a project name"):
            new(images, annotations, name=name)
    assert [p.name for p in projects.glob("*/project.yaml*")] == ["project.yaml"]


def test_what_is_no_annotation_export_says_what_was_looked_for(projects, images, tmp_path):
    (tmp_path / "notes.txt").write_text("buy milk")
    with pytest.raises(AnnotationError, match="Looked for coco"):
        new(images, tmp_path / "notes.txt")
