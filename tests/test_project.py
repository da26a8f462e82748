"""A wrong project.yaml names the key, the line, what was expected and the nearest known name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.errors import ProjectError
from cv_pipeline.project import find_project, load_project, project_names

GOOD = """\
name: demo
task: detection
charter:
  problem: find fruit
source:
  images: images
annotations:
  source: labels.json
ontology:
  labels: [apple, pear]
training:
  model: fcos_resnet18
  input_size: [96, 128]
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "demo") -> Path:
        path = tmp_path / name / "project.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_a_minimal_project_has_the_documented_defaults(write):
    project = load_project(write(GOOD))
    assert project.ontology.labels == ("apple", "pear")
    assert project.metric == "AP50"
    assert project.dataset.split.ratios == {"train": 0.7, "val": 0.15, "test": 0.15}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # an unknown key names the nearest known one
        ("  images: images", "  image: images", r"line 6: source\.image: unknown key.*'images'"),
        # a required key that is missing is named with its meaning
        ("  problem: find fruit", "  owners: {}", r"charter\.problem: is required: the problem"),
        # a value outside the allowed ones lists them and the nearest
        ("task: detection", "task: detect", r"line 2: task: expected .*'detection'.*Did you mean"),
        # a number where none fits
        ("[96, 128]", "[96, wide]", r"line 13: training\.input_size\.1: .*integer.*'wide'"),
        # an empty list
        ("[apple, pear]", "[]", r"line 10: ontology\.labels: .*at least 1"),
        # a list with a double
        ("[apple, pear]", "[apple, apple]", r"line 9: ontology: labels are listed twice: apple"),
        # a metric of another task
        ("task: detection", "task: detection\nevaluation: {metric: accuracy}", r"not a detection"),
        # a majority of boxes
        (
            "  source: labels.json",
            "  source: labels.json\n  aggregation: majority",
            "'majority' needs task classification",
        ),
        # a name that is not the folder's
        ("name: demo", "name: other", r"line 1: name 'other' differs from its folder 'demo'"),
        # a name that cannot be an asset key
        ("name: demo", "name: Demo!", r"line 1: name: "),
    ],
)
def test_each_mistake_is_named_with_its_line(write, old, new, message):
    with pytest.raises(ProjectError, match=message):
        load_project(write(GOOD.replace(old, new)))


def test_all_mistakes_are_told_at_once(write):
    text = GOOD.replace("task: detection", "task: detect").replace("images: images", "image: x")
    with pytest.raises(ProjectError, match=r"has 3 mistakes"):
        load_project(write(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [unclosed\ntask: x", r"line \d+: not valid YAML"),
        ("- just\n- a list", "expected a mapping of keys, found CommentedSeq"),
        ("", "expected a mapping of keys, found NoneType"),
        ("name: a\nname: b", "not valid YAML"),
    ],
)
def test_what_is_no_project_at_all(write, text, message):
    with pytest.raises(ProjectError, match=message):
        load_project(write(text))


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "demo" / "project.yaml"
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\x00\x01name")
    with pytest.raises(ProjectError, match="cannot be read as UTF-8 text"):
        load_project(path)


def test_ratios_must_add_up(write):
    extra = "dataset: {split: {ratios: {train: 0.9, val: 0.3}}}\n"
    with pytest.raises(ProjectError, match=r"dataset\.split: ratios must add up to 1, not 1\.2"):
        load_project(write(GOOD + extra))


def test_a_project_that_does_not_exist_names_the_nearest(write, tmp_path):
    write(GOOD)
    assert project_names(tmp_path) == ["demo"]
    with pytest.raises(ProjectError, match=r"no project 'dmo'.*Did you mean 'demo'"):
        find_project("dmo", tmp_path)
