"""`cvp ontology`, `hand-off` and `check agreement`: what people and scripts are told."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cv_pipeline.annotations.ontology import lock
from cv_pipeline.catalog.schemas import ANNOTATIONS, IMAGES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.cli import app
from cv_pipeline.project import load_project
from cv_pipeline.provenance.event_log import Input, Materialization
from cv_pipeline.provenance.ontology_use import ontology_use
from cv_pipeline.storage import open_store
from tests.labeling.label_tables import table_of

PROJECT = """\
name: tiny
task: detection
charter: {problem: find coloured squares}
source: {images: unused}
annotations:
  source: labels.csv
ontology:
  labels: [red, blue]
training: {model: fcos_resnet18, input_size: [48, 64]}
"""


@dataclass(frozen=True)
class World:
    """A project with four labels on three images, found through the environment."""

    file: Path
    catalog: Catalog


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for name, folder in (("CV_HOME", "home"), ("CV_STORE", "store"), ("CV_PROJECTS", "projects")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    file = tmp_path / "projects" / "tiny" / "project.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(PROJECT)
    catalog = Catalog(open_store(str(tmp_path / "store")), "tiny")
    images = ["a" * 64, "b" * 64, "c" * 64]
    known = filled(IMAGES, [{"image_id": i} for i in images])
    catalog.table("images").merge(known, on=["image_id"])
    rows = table_of(
        ANNOTATIONS,
        4,
        annotation_id=list("1234"),
        image_id=[*images, images[0]],
        label=["red", "red", "blue", "blue"],
        kind="bbox",
        x_min=0.0,
        y_min=0.0,
        x_max=9.0,
        y_max=9.0,
        attributes="{}",
        annotator="ann",
        role="annotator",
        ontology_version="1",
        guideline_version="1",
    )
    catalog.table("annotations").replace(rows)
    lock(load_project(file), catalog)
    return World(file, catalog)


def filled(schema: pa.Schema, rows: list[dict[str, object]]) -> pa.Table:
    """Rows of a schema in which what does not matter is 0, empty or null."""
    zero: dict[Any, Any] = {pa.string(): "", pa.timestamp("us", tz="UTC"): datetime.now(UTC)}
    base = {f.name: None if f.nullable else zero.get(f.type, 0) for f in schema}
    return pa.Table.from_pylist([base | row for row in rows], schema=schema)


def cvp(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


def told(*arguments: str, status: int = 0) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["cvp", *arguments, "--json"])
        result = cvp(*arguments, "--json")
    assert result.exit_code == status, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_versions_are_listed_with_what_was_made_under_them(world):
    found = told("ontology", "tiny")
    assert (found["version"], found["guideline_version"]) == ("1", "1")
    assert [v["version"] for v in found["recorded"]] == ["1"]
    assert found["recorded"][0]["content"]["labels"] == ["blue", "red"]
    assert found["made_under"] == []  # nothing was run yet
    assert found["effect"]["problems"] == []
    assert "1 (current)" in cvp("ontology", "tiny").output


def test_a_change_is_previewed_without_being_made(world, tmp_path):
    changed = tmp_path / "changed.yaml"
    text = PROJECT.replace(
        "  labels: [red, blue]",
        '  version: "2"\n  labels: [crimson, blue]\n  original: {labels: [red, blue]}\n'
        '  migrations:\n    - {from: "1", to: "2", steps: [{rename: {red: crimson}}]}',
    )
    changed.write_text(text)
    found = told("ontology", "tiny", "--preview", str(changed), status=1)
    (step,) = found["effect"]["steps"]
    of_class = {c["label"]: (c["before"], c["after"]) for c in found["effect"]["classes"]}
    assert step["converted"] == of_class["red"][0] == of_class["crimson"][1] == 2
    assert of_class["red"][1] == 0
    # the file of labels is the one of before, and must be said to be
    assert "annotations.ontology_version: '1'" in found["effect"]["problems"][0]
    changed.write_text(text.replace("labels.csv", 'labels.csv\n  ontology_version: "1"'))
    assert told("ontology", "tiny", "--preview", str(changed))["effect"]["problems"] == []
    assert "rename" in cvp("ontology", "tiny", "--preview", str(changed)).output

    changed.write_text(text.replace("name: tiny", "name: other"))
    assert cvp("ontology", "tiny", "--preview", str(changed)).exit_code == 1


def test_what_is_missing_before_volume_work_is_named(world):
    found = told("hand-off", "tiny", status=1)
    assert (found["may_start"], found["enforced"]) == (False, True)
    assert [m["part"] for m in found["missing"]] == ["schema", "gold", "review", "pilot"]
    assert all(m["do"] for m in found["missing"])
    output = cvp("hand-off", "tiny").output
    assert "missing: There is no text of guideline version '1'." in output
    refused = cvp("hand-off", "tiny", "--batch", "nobody")
    assert "has no batch 'nobody'" in str(refused.exception) + refused.output


def test_gold_images_may_be_named_by_a_query(world):
    rule = "labeling:\n  hand_off:\n    gold: {query: %s, min_per_class: 2}\n"
    world.file.write_text(PROJECT + rule % "labelled")
    found = told("hand-off", "tiny", status=1)
    assert "gold" not in [m["part"] for m in found["missing"]]
    assert [one["images"] for one in found["gold"]] == [2, 2]
    world.file.write_text(PROJECT + rule % "\"label = 'red'\"")
    found = told("hand-off", "tiny", status=1)
    assert "blue (1 of 2)" in next(m for m in found["missing"] if m["part"] == "gold")["what"]


def test_what_was_made_under_each_version_is_told(tmp_path):
    store = open_store(str(tmp_path / "store"))
    for digest, version in (("d1", "1"), ("d2", "2"), ("d3", "2")):
        record = json.dumps({"ontology": {"version": version}}).encode()
        store.create(f"projects/tiny/datasets/{digest}/dataset.json", record)
    at = datetime.now(UTC)

    def made(asset: str, version: str, dataset: str = "") -> Materialization:
        inputs = (Input("tiny/dataset_version", dataset, 1),) if dataset else ()
        return Materialization(f"tiny/{asset}", 1, "", at, version, "", inputs, {})

    class Log:
        def oldest_first(self, key: str):
            if key == "tiny/dataset_version":
                # the last one's folder is gone, and one was made twice
                yield from (made("dataset_version", d) for d in ("d1", "d2", "d1", "d3", "gone"))
            else:
                yield from (made("trained_model", m, d) for m, d in (("m1", "d1"), ("m2", "d3")))

    found = ontology_use(Log(), store, project="tiny")  # type: ignore[arg-type]
    assert [(one.version, one.datasets, one.models) for one in found] == [
        ("1", ("d1",), ("m1",)),
        ("2", ("d2", "d3"), ("m2",)),
        ("", ("gone",), ()),
    ]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    labels = {"ann": ["cat", "dog", "cat", "dog"], "bob": ["cat", "dog", "cat", "cat"]}
    for who, said in labels.items():
        rows = [f"{n}.jpg,{label}" for n, label in enumerate(said)]
        (tmp_path / f"{who}.csv").write_text("\n".join(["image,label", *rows]) + "\n")
    return [str(tmp_path / f"{who}.csv") for who in labels]


def test_agreement_of_files_is_held_against_thresholds(files):
    found = told("check", "agreement", *files)
    assert found["kind"] == "classes"
    assert found["alpha"]["value"] == pytest.approx(1 - 7 * 2 / 30)  # 1 - (n-1) D_o / D_e by hand
    assert (found["images"], found["annotators"], found["thresholds"]) == (4, 2, [])
    assert told("check", "agreement", *files, "--min", "alpha=0.5")["thresholds"][0]["passed"]
    told("check", "agreement", *files, "--min", "alpha=0.6", status=1)
    told("check", "agreement", *files, "--min", "cat/alpha=0.5")
    output = cvp("check", "agreement", *files, "--min", "alpha_low=0.9").output
    assert "4 images by 2 annotators" in output
    assert "missed: alpha_low" in output
    assert "Below 0.9:\n  class cat: alpha 0.533\n" in output
    assert "  pair ann and bob: alpha 0.533, 4 images" in output
    parts = [(one["kind"], one["name"]) for one in found["parts"]]
    assert parts == [("class", "cat"), ("class", "dog"), ("pair", "ann and bob")]


def test_a_check_that_cannot_be_made_has_a_status_of_its_own(files, tmp_path):
    assert "nothing can be compared" in told("check", "agreement", files[0], status=2)["error"]
    missing = told("check", "agreement", files[0], str(tmp_path / "bo.csv"), status=2)
    assert "bob.csv" in missing["do"]
    wrong = told("check", "agreement", *files, "--min", "alfa=1", status=2)
    assert "alpha" in wrong["do"]


def test_the_seed_decides_the_interval(files):
    first, again, other = (
        told("check", "agreement", *files, "--seed", seed)["alpha"] for seed in ("1", "1", "2")
    )
    assert first == again
    assert first["value"] == other["value"]
