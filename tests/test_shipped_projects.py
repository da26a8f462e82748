"""The projects in the repository: they load, say what they should, and fit the data they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.annotations.formats import parse_export, read_export
from cv_pipeline.errors import SettingsError
from cv_pipeline.project import Project, find_project, project_names, resolved_source
from cv_pipeline.samples.fruit.species import LABELS
from cv_pipeline.settings import expand
from cv_pipeline.storage import open_source

PROJECTS = Path(__file__).parents[1] / "projects"
REAL = ("blood_cells", "cifar10n")


@pytest.fixture
def real_environment(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CV_REAL_DATA", str(real_data))


def project(name: str) -> Project:
    return find_project(name, PROJECTS)


def lines(url: str) -> list[str]:
    folder, _, name = expand(url).rpartition("/")
    return open_source(folder).read(name).decode().split()


def test_names() -> None:
    assert project_names(PROJECTS) == ["blood_cells", "cifar10n", "fruit"]


@pytest.mark.parametrize("name", ["blood_cells", "cifar10n", "fruit"])
def test_every_charter_is_complete(name: str) -> None:
    charter = project(name).charter
    assert len(charter.problem) > 80
    assert len(charter.requirements) >= 3
    assert len(charter.product_metrics) >= 2
    assert len(charter.out_of_scope) >= 2
    assert charter.feasibility
    assert {"product", "data", "model"} <= set(charter.owners)


def test_fruit_is_the_demo_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CV_HOME", "/state")
    fruit = project("fruit")
    assert resolved_source(fruit) == "/state/samples/fruit/images"
    assert fruit.ontology.labels == LABELS
    assert fruit.training.input_size == (96, 128)
    assert {name for name, check in fruit.checks.items() if check.severity == "warn"} == {
        "contradictions",
        "giveaway",
    }


@pytest.mark.parametrize("name", REAL)
def test_real_data_that_are_absent_are_a_clear_message(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CV_REAL_DATA", raising=False)
    with pytest.raises(SettingsError, match=r"needs CV_REAL_DATA.*bccd\.tar\.gz"):
        resolved_source(project(name))


@pytest.mark.usefixtures("real_environment")
@pytest.mark.parametrize(("name", "images"), [("blood_cells", 364), ("cifar10n", 10_000)])
def test_real_images_are_where_the_project_says(name: str, images: int) -> None:
    assert len(open_source(resolved_source(project(name))).list()) == images


@pytest.mark.usefixtures("real_environment")
@pytest.mark.parametrize("name", REAL)
def test_real_annotations_have_the_labels_of_the_ontology(name: str) -> None:
    declared = project(name)
    parsed = parse_export(
        read_export(open_source(expand(declared.annotations.source))),
        format=declared.annotations.format,
    )
    assert set(parsed.rows["label"].unique().to_pylist()) == set(declared.ontology.labels)


@pytest.mark.usefixtures("real_environment")
def test_the_official_split_of_blood_cells_covers_every_image() -> None:
    blood_cells = project("blood_cells")
    listed = {name: lines(url) for name, url in blood_cells.source.splits.items()}
    assert {name: len(images) for name, images in listed.items()} == {
        "train": 205,
        "val": 87,
        "test": 72,
    }
    images = {e.path.split(".")[0] for e in open_source(resolved_source(blood_cells)).list()}
    assert {image for split in listed.values() for image in split} == images


@pytest.mark.usefixtures("real_environment")
def test_gold_is_all_that_cifar10n_tests_on() -> None:
    cifar10n = project("cifar10n")
    assert cifar10n.annotations.gold is not None
    header, *rows = lines(cifar10n.annotations.gold)
    assert header == "image,label"
    assert len(rows) == 1000
    assert cifar10n.dataset.split.ratios["test"] == 0
