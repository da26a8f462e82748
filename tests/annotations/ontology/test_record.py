"""What a version stood for is kept, and a change under it is refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cv_pipeline.annotations.ontology import lock, require_unchanged, set_aside_to_relabel
from cv_pipeline.annotations.ontology.effect import effect
from cv_pipeline.annotations.ontology.guidelines import read_guideline
from cv_pipeline.annotations.ontology.record import (
    guideline_versions,
    ontology_content,
    ontology_versions,
)
from cv_pipeline.annotations.ontology.relabelling import relabelling_batch
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import OntologyError, ProjectError
from cv_pipeline.project import Project
from cv_pipeline.storage import open_store

BASE = {
    "name": "fruit",
    "task": "detection",
    "charter": {"problem": "Find fruit."},
    "source": {"images": "unused"},
    "annotations": {"source": "unused"},
    "ontology": {"labels": ["apple", "pear"], "attributes": {"side": ["l", "r"]}},
    "training": {"model": "fcos_resnet18", "input_size": [96, 96]},
}


def project(**ontology: object) -> Project:
    return Project.model_validate(BASE | {"ontology": BASE["ontology"] | ontology})  # type: ignore[operator]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(open_store(str(tmp_path / "store")), "fruit")


@pytest.fixture(autouse=True)
def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "projects"
    (folder / "fruit" / "guidelines").mkdir(parents=True)
    monkeypatch.setenv("CV_PROJECTS", str(folder))
    return folder


def write(projects: Path, text: str, version: str = "1") -> None:
    (projects / "fruit" / "guidelines" / f"{version}.md").write_bytes(text.encode())


def test_a_version_is_recorded_once_and_order_is_no_change(catalog, projects):
    write(projects, "Draw boxes.")
    first = lock(project(), catalog)
    assert first.guideline is not None
    again = lock(project(labels=["pear", "apple"], required=["side"]), catalog)
    assert again == first
    (one,) = ontology_versions(catalog)
    assert (one.version, one.digest) == ("1", first.ontology_digest)
    assert one.content == ontology_content(project())
    (told,) = guideline_versions(catalog)
    assert told.guideline.text == "Draw boxes.\n"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": ["apple", "pear", "fig"]}, "labels got 'fig'"),
        ({"labels": ["apple"]}, "labels lost 'pear'"),
        ({"attributes": {"side": ["l", "top"]}}, r"attributes\.side lost 'r'; .*got 'top'"),
        ({"attributes": {}}, "attributes lost 'side'"),
        ({"geometry": ["polygon"]}, "geometry lost 'bbox'; geometry got 'polygon'"),
        ({"tags": ["dark"]}, "tags got 'dark'"),
        ({"geometry": ["bbox"]}, None),  # the same, said
    ],
)
def test_a_change_under_a_version_that_labels_were_made_under_is_refused(catalog, change, told):
    lock(project(), catalog)
    if told is None:
        lock(project(**change), catalog)
        return
    with pytest.raises(OntologyError, match=told) as error:
        lock(project(**change), catalog)
    assert "Raise ontology.version" in error.value.do
    # under another version it is right
    lock(project(**change, version="2"), catalog)
    assert [v.version for v in ontology_versions(catalog)] == ["1", "2"]


def test_what_project_yaml_says_of_an_older_version_must_be_what_it_was(catalog):
    lock(project(), catalog)
    changed = {
        "version": "2",
        "labels": ["apple", "pear", "fig"],
        "migrations": [{"from": "1", "to": "2", "steps": [{"add": ["fig"]}]}],
    }
    right = {"labels": ["apple", "pear"], "attributes": {"side": ["l", "r"]}}
    wrong = {"labels": ["apple"], "attributes": {"side": ["l", "r"]}}
    lock(project(**changed, original=right), catalog)
    changed["migrations"] = [{"from": "1", "to": "2", "steps": [{"add": ["pear", "fig"]}]}]
    with pytest.raises(OntologyError, match="labels lost 'pear'"):
        require_unchanged(project(**changed, original=wrong), catalog)


def test_a_changed_guideline_under_its_version_is_refused(catalog, projects):
    write(projects, "Draw boxes.")
    lock(project(), catalog)
    write(projects, "\ufeffDraw boxes.  \r\n\r\n")  # how it is saved is no change
    lock(project(), catalog)
    write(projects, "Draw boxes, and name them.")
    with pytest.raises(OntologyError, match=r"1\.md has changed") as error:
        lock(project(), catalog)
    assert "raise ontology.guideline_version" in error.value.do
    # also once the version was raised: labels of the old one were made by the old text
    write(projects, "Draw better boxes.", "2")
    with pytest.raises(OntologyError, match=r"1\.md has changed"):
        lock(project(guideline_version="2"), catalog)
    write(projects, "Draw boxes.")
    assert lock(project(guideline_version="2"), catalog).guideline.version == "2"


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\xff\xfe\x00", "cannot be read as UTF-8"), (b"x" * 200_001, "200,001 bytes")],
)
def test_a_guideline_that_nobody_can_read_is_an_error(projects, data, message):
    (projects / "fruit" / "guidelines" / "1.md").write_bytes(data)
    with pytest.raises(ProjectError, match=message):
        read_guideline(project())


@pytest.mark.parametrize("version", ["../../secret", "a/b", "..", "\\x"])
def test_a_version_cannot_lead_out_of_the_folder(projects, version):
    (projects / "secret.md").write_text("secret")
    assert read_guideline(project(), version) is None


def test_no_text_is_no_guideline(catalog, projects):
    write(projects, " \n")
    assert read_guideline(project()) is None
    assert lock(project(), catalog).guideline is None


def ids(*names: str) -> pa.Array:
    return pa.array(names, pa.string())


def test_where_labels_of_a_split_class_would_go_is_counted_with_examples(catalog, annotations):
    rows = [
        {"label": "apple", "image_id": str(n), "x_max": 10.0 + n, "attributes": text}
        for n, text in enumerate(['{"side":"l"}', '{"side":"l"}', '{"side":"r"}', "{}"])
    ]
    rows.append({"label": "pear", "image_id": "3"})
    catalog.table("annotations").replace(annotations(*rows))
    into = {"l": "left", "r": "right"}
    steps = [{"split": {"label": "apple", "by": "side", "into": into}}, {"rename": {"pear": "nut"}}]
    changed = project(
        version="2",
        labels=["left", "right", "nut"],
        original={"labels": ["apple", "pear"], "attributes": {"side": ["l", "r"]}},
        migrations=[{"from": "1", "to": "2", "steps": steps}],
    )
    found = effect(changed, catalog, now=project())
    told = [(m.label, m.into, m.labels, m.images, m.examples, m.relabel) for m in found.moves]
    assert told == [
        ("apple", "left", 2, 2, ("1", "0"), False),  # the larger first
        ("apple", "right", 1, 1, ("2",), False),
        ("apple", "", 1, 1, ("3",), True),
        ("pear", "", 1, 1, ("3",), True),  # beside one that must be made again
    ]
    assert "does not say its side" in found.moves[2].detail
    assert sum(m.labels for m in found.moves) == found.labels == 5


def test_images_are_set_aside_once_for_a_version(catalog):
    assert set_aside_to_relabel(catalog, ids(), version="2") == ()
    assert set_aside_to_relabel(catalog, ids("b", "a"), version="2") == ("ontology-2",)
    rows = catalog.table("image_batches").read()
    assert rows["image_id"].to_pylist() == ["a", "b"]
    assert set(rows["purpose"].to_pylist()) == {"relabel"}
    # again, in part, and when some were labelled since: nothing new
    for some in (ids("a", "b"), ids("a"), ids()):
        assert set_aside_to_relabel(catalog, some, version="2") == ("ontology-2",)
    assert len(catalog.table("image_batches").read()) == 2
    # images that turn up later have a batch of their own
    first, second = set_aside_to_relabel(catalog, ids("a", "c"), version="2")
    assert (first, second[:11], len(second)) == ("ontology-2", "ontology-2-", 19)
    assert set_aside_to_relabel(catalog, ids("a", "c"), version="2") == (first, second)
    assert set_aside_to_relabel(catalog, ids("a"), version="20") == ("ontology-20",)


def test_any_version_has_a_name_of_a_batch():
    names = {relabelling_batch(v) for v in ("2", "2 b", "2/b", "x" * 100, "x" * 101)}
    assert len(names) == 5
    assert all(len(name) <= 50 for name in names)


def test_the_effect_of_a_change_is_shown_before_it_is_there(catalog, annotations):
    catalog.table("annotations").replace(
        annotations(
            {"label": "apple", "image_id": "1"},
            {"label": "pear", "image_id": "1", "annotator": "bob"},
            {"label": "pear", "image_id": "2"},
        )
    )
    changed = project(
        version="2",
        labels=["red", "green", "pear"],
        original={"labels": ["apple", "pear"], "attributes": {"side": ["l", "r"]}},
        migrations=[
            {
                "from": "1",
                "to": "2",
                "steps": [{"split": {"label": "apple", "into": ["red", "green"]}}],
            }
        ],
    )
    found = effect(changed, catalog, now=project())
    assert (found.labels, found.converted, found.relabel) == (3, 2, ("1",))
    assert found.quarantined == {"label_to_be_made_again": 1}
    assert {c.label: (c.before, c.after) for c in found.classes} == {
        "red": (0, 0),
        "green": (0, 0),
        "pear": (2, 2),
        "apple": (1, 0),
    }
    assert found.made_under == {"1": 3}
    (move,) = found.moves
    assert (move.label, move.into, move.labels, move.images) == ("apple", "", 1, 1)
    assert (move.relabel, move.examples) == (True, ("1",))
    assert "splits 'apple' into red, green, and only people can tell which" in move.detail
    (problem,) = found.problems
    assert "declare annotations.ontology_version: '1'" in problem
    # nothing was changed
    assert catalog.table("annotations").version == 2
    assert catalog.table("ontology_versions").version == 0
    # a version that nothing leads to is told
    lonely = effect(project(version="2"), catalog, now=project(version="2"))
    assert "No migration leads from version '1', of which there are 3 labels" in lonely.problems[0]
