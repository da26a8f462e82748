"""`cvp ontology`, `hand-off` and `check agreement`: what people and scripts are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cv_pipeline.cli import app
from tests.tiny_world import TinyWorld


@pytest.fixture
def world(materialized_world: TinyWorld, monkeypatch: pytest.MonkeyPatch) -> TinyWorld:
    """The world that everything was run on, found by this process."""
    for name, value in materialized_world.environment.items():
        monkeypatch.setenv(name, value)
    return materialized_world


def cvp(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


def told(*arguments: str, status: int = 0) -> dict[str, Any]:
    result = cvp(*arguments, "--json")
    assert result.exit_code == status, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_versions_are_listed_with_what_was_made_under_them(world):
    found = told("ontology", "tiny")
    assert (found["version"], found["guideline_version"]) == ("1", "1")
    assert [v["version"] for v in found["recorded"]] == ["1"]
    assert found["recorded"][0]["content"]["labels"] == ["blue", "red"]
    (made,) = found["made_under"]
    assert (made["version"], len(made["datasets"]), len(made["models"])) == ("1", 1, 1)
    assert found["effect"]["problems"] == []
    assert "1 (current)" in cvp("ontology", "tiny").output


def test_a_change_is_previewed_without_being_made(world, tmp_path):
    file = Path(world.environment["CV_PROJECTS"]) / "tiny" / "project.yaml"
    changed = tmp_path / "changed.yaml"
    text = file.read_text().replace(
        "  labels: [red, blue]",
        '  version: "2"\n  labels: [crimson, blue]\n  original: {labels: [red, blue]}\n'
        '  migrations:\n    - {from: "1", to: "2", steps: [{rename: {red: crimson}}]}',
    )
    changed.write_text(text)
    found = told("ontology", "tiny", "--preview", str(changed), status=1)
    (step,) = found["effect"]["steps"]
    of_class = {c["label"]: (c["before"], c["after"]) for c in found["effect"]["classes"]}
    assert step["converted"] == of_class["red"][0] == of_class["crimson"][1] > 0
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


def test_gold_images_may_be_named_by_a_query(world, tmp_path, monkeypatch):
    folder = tmp_path / "projects" / "tiny"
    folder.mkdir(parents=True)
    text = (Path(world.environment["CV_PROJECTS"]) / "tiny" / "project.yaml").read_text()
    text += "labeling:\n  hand_off:\n    gold: {query: labelled, min_per_class: 1}\n"
    (folder / "project.yaml").write_text(text)
    monkeypatch.setenv("CV_PROJECTS", str(folder.parent))
    found = told("hand-off", "tiny", status=1)
    assert "gold" not in [m["part"] for m in found["missing"]]
    assert all(one["images"] > 0 for one in found["gold"])


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
