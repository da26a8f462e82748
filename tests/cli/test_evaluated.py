"""What leads on from an evaluation, on a world that was run once."""

from __future__ import annotations

import json
import re
import struct
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cv_pipeline.cli import app
from cv_pipeline.cli.app import write_file
from cv_pipeline.errors import EvaluationError
from cv_pipeline.evaluation.error_analysis.analysis import load_error_analysis
from cv_pipeline.provenance.found_errors import _check_picked
from tests.tiny_world import TinyWorld


def told(world: TinyWorld, *command: str, check: bool = True):
    return json.loads(world.cvp(*command, "--json", check=check).stdout)


def test_a_model_is_judged_and_becomes_the_champion(own_world: TinyWorld):
    """The world's requirements are none: the first model is promoted, and stays."""
    world = own_world
    # a requirement that it cannot meet, and one that was measured
    text = world.project_file.read_text()
    world.project_file.write_text(
        text
        + "requirements:\n  - {metric: recall, label: red, at_least: 0.999}\n"
        + "  - {metric: latency_p95_ms, at_most: 60000}\n  - {metric: weights, at_most: 1e9}\n"
    )
    done = world.run("cvp", "verdict", "tiny", "--json", check=False)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert [r["passed"] for r in found["requirements"]] == [False, True, True]
    assert found["requirements"][1]["value"] > 0
    # the champion of the first run stays champion, and the record says why
    log = world.materialize('key:"tiny/champion"')
    assert "It is the champion, and would not be promoted today" in log


def test_errors_lead_to_images_and_reviews_are_tallied(own_world: TinyWorld):
    world = own_world
    found = told(world, "errors", "tiny", "-n", "5")
    assert found["total"] >= len(found["rows"]) > 0
    first = found["rows"][0]
    assert first["path"].endswith(".png")
    assert first["kind"] != "correct"
    sample = told(world, "review", "tiny", "--sample", "3")["images"]
    assert len({row["image_id"] for row in sample}) == 3
    image = sample[0]["image_id"]
    tallied = told(world, "review", "tiny", image[:12], "right", "--issue", "glare")
    assert tallied["images"] == 1
    assert tallied["right"]["value"] == 1.0
    assert tallied["issues"] == {"glare": 1}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"truth": "rad"}, "no class 'rad'.*'red'"),
        ({"predicted": "green"}, "no class 'green'"),
        ({"truth": "none", "split": "tset"}, "split 'tset' was not evaluated.*'test'"),
        ({"split": "train"}, "Labels of train are not judged"),
    ],
)
def test_of_likely_label_errors_only_what_there_is_can_be_asked_for(asked, message):
    record = SimpleNamespace(labels=("red", "blue"), images={"train": 6, "val": 2, "test": 2})
    asked = {"truth": None, "predicted": None, "split": None} | asked
    with pytest.raises(EvaluationError, match=message):
        _check_picked(SimpleNamespace(record=record), **asked)


def test_what_there_is_can_be_asked_for():
    record = SimpleNamespace(labels=("red",), images={"train": 6, "val": 2})
    _check_picked(SimpleNamespace(record=record), "red", "none", "val")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["review", "tiny", "001.png", "right", "--sample", "3"], "not both at once"),
        (["errors", "tiny", "--likely-label-errors", "--kind", "both"], "not of a kind"),
    ],
)
def test_what_would_be_left_unsaid_is_refused(command, message, tmp_path, monkeypatch):
    """A judgement beside --sample must not be lost in silence."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(EvaluationError, match=message):
        CliRunner().invoke(app, command, catch_exceptions=False)


def test_a_file_that_cannot_be_written_is_a_clear_error(tmp_path):
    with pytest.raises(EvaluationError, match="cannot be written: No such file or directory"):
        write_file(tmp_path / "none" / "report.html", b"")


def test_the_report_and_an_activation_map(own_world: TinyWorld, tmp_path):
    world = own_world
    found = told(world, "report", "tiny", "--out", str(tmp_path / "report.html"))
    html = (tmp_path / "report.html").read_text()
    pictures = set(re.findall(r"data:image/jpeg;base64,[^\"]+", html))
    assert found["images"] == len(pictures) > 0
    assert "://" not in html
    (page,) = (world.home / "store" / "projects" / "tiny" / "pictures").glob("*.html")
    assert "how good is model" in page.read_text()
    (analysis,) = (world.home / "store" / "projects" / "tiny" / "error_analyses").iterdir()
    assert load_error_analysis(analysis).record.notes == ()
    # two images with a red and a blue square each
    assert len(load_error_analysis(analysis).activations) == 4

    picture = tmp_path / "map.png"
    done = world.run(
        "cvp", "activation-map", "tiny@latest", "001.png", "--out", str(picture), "--json",
        check=False,
    )  # fmt: skip
    if done.returncode:  # one epoch may find nothing at all
        assert "finds nothing at all" in done.stderr
        pytest.skip("the model of one epoch finds nothing on this image")
    explained = json.loads(done.stdout)
    assert explained["label"] in ("red", "blue")
    assert 0 <= explained["share"] <= 1
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    assert (width, height) == (640, 480)
