from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cv_pipeline.annotations.discover import (
    Discovery,
    discover,
    input_size,
    project_yaml,
    split_files,
)
from cv_pipeline.errors import AnnotationError, SourceError
from cv_pipeline.project import Project, load_project
from cv_pipeline.storage import open_source


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def tree(tmp_path):
    """Writes files, text or bytes, below a folder and returns the folder."""

    def write(files: dict[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "data"

    return write


def found_in(folder: Path, *, images: str = "", annotations: str = "") -> Discovery:
    return discover(
        images=open_source(str(folder / images)),
        annotations=open_source(str(folder / annotations)),
    )


def loaded(text: str, folder: Path) -> Project:
    path = folder / "my_project" / "project.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_project(path)


def yaml_of(found: Discovery, **options: str) -> str:
    return project_yaml(
        found, name="my_project", images_url="/images", annotations_url="/labels", **options
    )


def coco(**attributes: object) -> str:
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "gone.png"}],
            "categories": [{"id": 2, "name": "pear"}, {"id": 1, "name": "no"}],
            "annotations": [
                {"image_id": 1, "category_id": 2, "bbox": [0, 0, 5, 5], "attributes": attributes}
            ],
        }
    )


def test_coco(tree, tmp_path):
    folder = tree(
        {
            "images/a.png": png(320, 240),
            "images/b.png": png(320, 240),
            "images/broken.png": b"no image",
            "coco.json": coco(occluded=True, side="left"),
        }
    )

    found = found_in(folder, images="images", annotations="coco.json")
    project = loaded(yaml_of(found), tmp_path)

    assert (found.format, found.task, found.median_size) == ("coco", "detection", (320, 240))
    assert (found.images, found.annotated, found.annotations) == (3, 1, 1)
    assert project.ontology.labels == ("pear", "no")
    assert project.ontology.attributes == {"occluded": (), "side": ("left",)}
    assert project.annotations.format == "coco"
    assert (project.training.model, project.training.input_size) == ("fcos_resnet18", (160, 224))


def test_csv_of_small_images_by_several_annotators(tree, tmp_path):
    folder = tree(
        {
            "a.png": png(32, 30),
            "labels.csv": "image,label,annotator\na.png,pear,ann\na.png,apple,bob\n",
        }
    )

    project = loaded(yaml_of(found_in(folder)), tmp_path)

    assert project.task == "classification"
    assert project.ontology.labels == ("apple", "pear")
    assert project.annotations.aggregation == "majority"
    assert (project.training.model, project.training.input_size) == ("resnet18_small", (32, 32))


def test_larger_images_are_classified_by_a_larger_model(tree, tmp_path):
    folder = tree({"a.png": png(600, 400), "labels.csv": "image,label\na.png,pear\n"})

    project = loaded(yaml_of(found_in(folder)), tmp_path)

    assert (project.training.model, project.training.input_size) == ("resnet18", (160, 256))
    assert project.annotations.aggregation == "latest"


def test_yolo_folders_are_the_official_split(tree, tmp_path):
    label = "0 0.5 0.5 0.1 0.1\n"
    folder = tree(
        {
            "data.yaml": "names: [pear]\n",
            "train/images/a.png": png(64, 64),
            "train/labels/a.txt": label,
            "valid/images/b.png": png(64, 64),
            "valid/labels/b.txt": label,
        }
    )

    found = found_in(folder)

    assert split_files(found) == {
        "train.txt": "train/images/a.png\n",
        "val.txt": "valid/images/b.png\n",
    }
    assert loaded(yaml_of(found), tmp_path).source.splits == {}
    splits = loaded(yaml_of(found, splits_folder="some where"), tmp_path).source.splits
    assert splits == {"train": "some where/train.txt", "val": "some where/val.txt"}


@pytest.mark.parametrize("annotations", ["", "Annotations"])
def test_pascal_voc_lists_are_the_official_split(tree, tmp_path, annotations):
    xml = "<object><name>pear</name><bndbox>{}</bndbox></object>".format(
        "".join(f"<{edge}>{v}</{edge}>" for v, edge in enumerate(["xmin", "ymin", "xmax", "ymax"]))
    )
    folder = tree(
        {
            "JPEGImages/a.png": png(64, 64),
            "Annotations/a.xml": f"<annotation><filename>a.png</filename>{xml}</annotation>",
            "ImageSets/Main/trainval.txt": "a\n",
            "ImageSets/Main/test.txt": "b\n",
            "ImageSets/Main/pear_test.txt": "b 1\n",
        }
    )

    found = found_in(folder, images="JPEGImages", annotations=annotations)
    project = loaded(yaml_of(found), tmp_path)

    assert found.format == "pascal_voc"
    assert list(project.source.splits) == ["train", "test"]
    assert open_source(project.source.splits["test"]).read("test.txt") == b"b\n"
    assert split_files(found) == {}


def test_label_studio(tree, tmp_path):
    value = {"x": 1, "y": 1, "width": 9, "height": 9, "rectanglelabels": ["pear"]}
    result = [{"id": "r", "type": "rectanglelabels", "value": value}]
    task = {"data": {"image": "/data/upload/1/0123abcd-a.png"}, "annotations": [{"result": result}]}
    folder = tree({"a.png": png(100, 100), "export/tasks.json": json.dumps([task])})

    found = found_in(folder, annotations="export")

    assert (found.format, found.annotated) == ("label_studio", 1)
    assert loaded(yaml_of(found), tmp_path).ontology.labels == ("pear",)


def test_blood_cells(real_data, tmp_path):
    archive = f"{real_data}/bccd.tar.gz!BCCD"

    found = discover(
        images=open_source(f"{archive}/JPEGImages"),
        annotations=open_source(f"{archive}/Annotations"),
    )
    project = loaded(yaml_of(found), tmp_path)

    assert found.labels == ("Platelets", "RBC", "WBC")
    assert (found.images, found.annotated, found.annotations) == (364, 364, 4888)
    assert {split: len(listed.images) for split, listed in found.splits.items()} == {
        "train": 205,
        "val": 87,
        "test": 72,
    }
    assert project.source.splits["test"] == f"{archive}/ImageSets/Main/test.txt"
    assert project.training.input_size == (160, 224)


def test_annotations_of_other_images_are_an_error(tree):
    folder = tree({"images/z.png": png(8, 8), "coco.json": coco()})

    with pytest.raises(AnnotationError, match=r"None of the 2 images .*'a\.png'.*'z\.png'"):
        found_in(folder, images="images", annotations="coco.json")


@pytest.mark.parametrize(
    ("files", "error", "match"),
    [
        ({"coco.json": coco(), "a.md": "x"}, SourceError, "no image among the 2 files"),
        ({"coco.json": coco(), "a.png": "x"}, SourceError, "Of 1 files in .* none can be read"),
        ({"a.png": png(8, 8)}, AnnotationError, r"Looked for coco.*Found 1 \.png"),
        (
            {"a.png": png(8, 8), "x.json": '{"images": [], "annotations": []}'},
            AnnotationError,
            "holds no annotation",
        ),
    ],
)
def test_what_cannot_be_a_project_is_an_error_that_says_why(tree, files, error, match):
    with pytest.raises(error, match=match):
        found_in(tree(files))


@pytest.mark.parametrize(
    ("median", "expected"),
    [
        ((640, 480), (160, 224)),
        ((480, 640), (224, 160)),
        ((96, 96), (96, 96)),
        ((32, 32), (32, 32)),
        ((10, 60), (64, 16)),  # no side below 16
        ((4000, 100), (96, 4000)),
    ],
)
def test_input_size_keeps_the_aspect(median, expected):
    assert input_size(median) == expected


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(str.strip).filter(bool)


@settings(deadline=None)
@given(
    labels=st.lists(words, min_size=1, max_size=5, unique=True),
    attributes=st.dictionaries(words, st.lists(words, unique=True, max_size=3), max_size=3),
    url=words,
)
def test_any_text_survives_the_yaml(tmp_path_factory, labels, attributes, url):
    found = Discovery(
        format="coco",
        task="detection",
        labels=tuple(labels),
        attributes={name: tuple(values) for name, values in attributes.items()},
        images=1,
        annotated=1,
        annotations=1,
        annotators=1,
        refused=0,
        median_size=(100, 100),
        splits={},
    )
    text = project_yaml(found, name="my_project", images_url=url, annotations_url=url)

    project = loaded(text, tmp_path_factory.mktemp("projects"))

    assert project.ontology.labels == found.labels
    assert project.ontology.attributes == found.attributes
    assert project.source.images == url
