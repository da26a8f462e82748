"""cvp batches, batch, assign, label-cost and set-aside --divide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cv_pipeline.cli import app
from cv_pipeline.inspector.access.assignments import assignments
from cv_pipeline.inspector.audit import AuditLog, Wanted
from cv_pipeline.inspector.database import open_database
from tests.catalog.datalake_world import DatalakeWorld, make_datalake_world
from tests.labeling.label_tables import annotate, push


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatalakeWorld:
    """A lake of six images, and two annotators of whom one has an account."""
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    monkeypatch.setenv("CV_ACTOR", "anna")
    made = make_datalake_world(tmp_path)
    file = tmp_path / "projects" / "fruit" / "project.yaml"
    file.write_text(
        file.read_text()
        + "labeling:\n"
        + "  prices: {currency: EUR, per_hour: {annotator: 18}}\n"
        + "  batches: {max_images: 2}\n"
        + "  annotators: {ann_1: {account: anna}, ann_2: {}}\n"
    )
    return made


def cvp(*arguments: str, status: int = 0) -> str:
    done: Result = CliRunner().invoke(app, arguments, catch_exceptions=status == 0)
    assert done.exit_code == status, done.output
    return done.output


def answer(*arguments: str) -> Any:
    return json.loads(cvp(*arguments, "--json"))


def test_a_query_is_divided_into_batches(world: DatalakeWorld) -> None:
    parts = answer("set-aside", "fruit", "order by path", "--name", "x", "--divide")
    assert [(part["name"], part["images"]) for part in parts] == [
        ("x-medium-001", 2),
        ("x-medium-002", 2),
        ("x-medium-003", 2),
    ]
    told = {batch["name"]: batch for batch in answer("batches", "fruit")}
    assert told["x-medium-002"]["difficulty"] == "medium"
    assert told["x-medium-002"]["task_type"] == "detection"


def test_what_programs_read_of_batches_stays(world: DatalakeWorld) -> None:
    cvp("set-aside", "fruit", "order by path", "--name", "one", "--reason", "why not")
    [batch] = answer("batches", "fruit")
    old = {"name", "purpose", "state", "images", "labelled", "reason", "query", "digest", "actor"}
    assert old | {"at", "owner", "deadline", "stuck", "open_labels"} <= set(batch)
    assert (batch["state"], batch["images"], batch["labelled"]) == ("open", 6, 2)
    assert batch["labelled_in_tool"] == 0
    assert "why not" in cvp("batches", "fruit")


def test_a_batch_is_shown_and_changed(world: DatalakeWorld) -> None:
    cvp("set-aside", "fruit", "order by path", "--name", "one")
    told = answer("batch", "fruit", "one", "--owner", "ben", "--overlap", "2", "--difficulty",
                  "hard", "--deadline", "2020-01-02", "--queue", "night", "--pilot")  # fmt: skip
    assert (told["owner"], told["overlap"], told["difficulty"]) == ("ben", 2, "hard")
    assert (told["queue"], told["pilot"], told["task_type"]) == ("night", True, "detection")
    assert told["deadline"] == "2020-01-02 23:59:59+00:00"
    shown = cvp("batch", "fruit", "one")
    assert "one: open" in shown
    assert "stuck: past its deadline by" in shown
    assert "one is stuck" in cvp("batches", "fruit")
    assert answer("batch", "fruit", "one", "--deadline", "none")["deadline"] is None
    assert answer("batch", "fruit", "one", "--pause")["state"] == "paused"
    assert answer("batch", "fruit", "one", "--resume")["state"] == "open"
    assert answer("batch", "fruit", "one", "--cancel")["state"] == "cancelled"
    written = [line.entry.action for line in AuditLog(world.folder / "home").export(Wanted())]
    assert written == [f"batch.{a}" for a in ("settings", "settings", "pause", "resume", "cancel")]


def test_two_label_a_pilot_unless_more_are_asked_for(world: DatalakeWorld) -> None:
    cvp("set-aside", "fruit", "order by path", "--name", "one")
    assert answer("batch", "fruit", "one", "--pilot")["overlap"] == 2
    assert answer("batch", "fruit", "one", "--overlap", "3")["overlap"] == 3
    assert answer("batch", "fruit", "one", "--pilot")["overlap"] == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("oen",), "Did you mean 'one'?"),
        (("one", "--deadline", "soon"), "'soon' is no date"),
        (("one", "--difficulty", "heard"), "Did you mean 'hard'?"),
        (("one", "--resume"), "is not paused"),
        (("one", "--pause", "--cancel"), "say different things"),
    ],
)
def test_what_cannot_be_is_said(
    world: DatalakeWorld, arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cvp("set-aside", "fruit", "order by path", "--name", "one")
    with pytest.raises(SystemExit) as ended:
        app(["batch", "fruit", *arguments], standalone_mode=False)
    assert ended.value.code == 1
    assert told in " ".join(capsys.readouterr().err.split())


def test_work_is_assigned_and_stands_in_the_inspector(world: DatalakeWorld) -> None:
    cvp("set-aside", "fruit", "order by path", "--name", "one")
    push(world.catalog, "one", world.ids)
    told = " ".join(cvp("assign", "fruit", "--dry-run").split())
    assert "0 labels would be assigned" in told
    assert "nobody of those who are known has an account in the annotation tool" in told
    assert "ann_1, ann_2 get nothing, for they have no account in Label Studio" in told
    file = world.folder / "projects" / "fruit" / "project.yaml"
    file.write_text(file.read_text() + "  people: {studio-7: ann_1, studio-8: ann_2}\n")
    assert "6 labels would be assigned" in cvp("assign", "fruit", "--dry-run")
    told = answer("assign", "fruit")
    assert (told["labels"], told["tasks_changed"]) == (6, 6)
    assert sorted(one["labels"] for one in told["annotators"]) == [3, 3]
    [given] = assignments(open_database(world.folder / "home"), project="fruit")
    assert (given.batch, given.user, given.actor) == ("one", "anna", "anna")
    assert answer("assign", "fruit")["tasks_changed"] == 0


def test_the_cost_of_labels_is_told(world: DatalakeWorld) -> None:
    cvp("set-aside", "fruit", "order by path", "--name", "one")
    annotate(world.catalog, "one", world.ids, "ann_2", lead_time=[60.0] * 5 + [None])
    told = answer("label-cost", "fruit")
    [every] = [group for group in told["groups"] if group["by"] == "all"]
    # five of a minute each, and one without a time, which counts as they do
    assert every["labels"] == 6
    assert every["cost_per_label"] == pytest.approx(18 / 60)
    assert told["lead_times"]["missing"] == 1
    shown = cvp("label-cost", "fruit")
    assert "0.3000 EUR" in shown
    assert "1 labels have no time" in " ".join(shown.split())
