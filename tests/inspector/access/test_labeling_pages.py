"""Pages of labelling: the queue with its estimate, batches and what is done with them, costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import yaml
from dagster import DagsterRun, DagsterRunStatus

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.inspector.access.assignments import assign, assignments
from cv_pipeline.inspector.access.roles import ALLOWED, Permission, Role
from cv_pipeline.inspector.audit import Wanted
from cv_pipeline.inspector.labeling import reading
from cv_pipeline.labeling.batches.declared import declare
from tests.inspector.access.conftest import OTHER, Inspector, Opener
from tests.labeling.label_tables import annotate, image_ids, members, push, refuse, set_aside

P = OTHER
PAGE = {"accept": "text/html"}


@pytest.fixture
def labelled(open_inspector: Opener, tmp_path) -> Inspector:  # type: ignore[no-untyped-def]
    """Three batches: one that is labelled, one that is stuck, one that waits."""
    file = tmp_path / "projects" / P / "project.yaml"
    told = yaml.safe_load(file.read_text())
    told.setdefault("labeling", {}).update(
        url="http://127.0.0.1:9",
        prices={"currency": "EUR", "per_hour": {"annotator": 18}, "per_label": 0.01},
        annotators={"ann": {"account": "anna"}, "ben": {"account": "ben", "hours_per_week": 10}},
    )
    file.write_text(yaml.safe_dump(told))
    inspector = open_inspector()
    catalog = Catalog(inspector.workspace.store, P)
    now = datetime.now(UTC)
    began = now - timedelta(days=20)
    for number, name in enumerate(("done", "stuck", "waits")):
        images = image_ids(60, seed=name)
        set_aside(catalog, name, images, at=began + timedelta(hours=number))
        overdue = now - timedelta(hours=30) if name == "stuck" else None
        declare(catalog, name, task_type="detection", deadline=overdue)
        if name != "waits":
            arm = ["random", "rarity"] * 30
            model = "" if name == "done" else "m" * 64
            push(catalog, name, images, at=began, tool_project=number + 4, arm=arm,
                 prelabel_model=model)  # fmt: skip
    rng = np.random.default_rng(0)
    for day in range(15):
        at = began + timedelta(days=day)
        done = image_ids(60, seed="done")[day * 4 : day * 4 + 4]
        annotate(catalog, "done", done, ("ann", "ben")[day % 2], at=at, tool_project=4,
                 lead_time=rng.gamma(6, 5, 4))  # fmt: skip
    members(catalog, "ann", "ben")
    stuck = image_ids(60, seed="stuck")[:20]
    annotate(catalog, "stuck", stuck, "ann", at=began, lead_time=12.0, tool_project=5)
    return inspector


def test_where_nothing_is_labelled_pages_say_what_to_do(inspector: Inspector) -> None:
    viewer = inspector.person("vic", {P: Role.VIEWER})
    for path, told in (
        ("", "Nothing waits to be labelled"),
        ("/batches", "No labelling batch was set aside yet"),
        ("/cost", "No label was made yet"),
    ):
        page = viewer.get(f"/p/{P}/labeling{path}", headers=PAGE)
        assert page.status_code == 200
        assert told in page.text
        assert viewer.get(f"/api/v1/p/{P}/labeling{path}").status_code == 200


def test_the_queue_says_what_waits_and_when_it_will_be_done(labelled: Inspector) -> None:
    viewer = labelled.person("vic", {P: Role.VIEWER})
    view = viewer.get(f"/api/v1/p/{P}/labeling").json()
    assert (view["images"], view["labels"], view["going"]) == (100, 100, 2)
    assert [row["name"] for row in view["stuck"]] == ["stuck"]
    once, twice, thrice = view["forecasts"]
    assert once["earliest"] < once["end"] < once["latest"]
    assert thrice["end"] < twice["end"] < once["end"]
    assert view["cost"] > 1
    assert (view["annotators"], view["by_person"]) == ([], False)  # skill is for engineers
    engineer = labelled.person("eve", {P: Role.ENGINEER}).get(f"/api/v1/p/{P}/labeling").json()
    assert [row["account"] for row in engineer["annotators"]] == ["anna", "ben"]
    page = viewer.get(f"/p/{P}/labeling", headers=PAGE).text
    assert "past its deadline by 30 h" in page
    assert "Assign work" not in page  # a viewer gives no work out
    assert "2 annotators" in page


def test_batches_are_listed_by_state(labelled: Inspector) -> None:
    viewer = labelled.person("vic", {P: Role.VIEWER})

    def names(**state: str) -> list[str]:
        view = viewer.get(f"/api/v1/p/{P}/labeling/batches", params=state).json()
        return [row["name"] for row in view["batches"]]

    assert names() == ["stuck", "waits", "done"]
    assert names(state="done") == ["done"]
    assert names(state="stuck") == ["stuck"]
    assert names(state="paused") == []


def test_a_batch_shows_who_labelled_and_leads_into_the_tool(labelled: Inspector) -> None:
    viewer = labelled.person("vic", {P: Role.VIEWER})
    view = viewer.get(f"/api/v1/p/{P}/labeling/batches/done").json()
    assert view["tool_url"] == "http://127.0.0.1:9/projects/4/data"
    assert view["query"] == "set_aside = 'done'"
    assert {row["name"]: row["labels"] for row in view["annotators"]} == {"ann": 32, "ben": 28}
    missing = viewer.get(f"/api/v1/p/{P}/labeling/batches/dnoe")
    assert missing.status_code == 404
    assert "Did you mean 'done'?" in missing.json()["do"]


def test_a_batch_is_paused_resumed_and_cancelled_and_who_did_is_written_down(
    labelled: Inspector,
) -> None:
    reviewer = labelled.person("rev", {P: Role.REVIEWER})
    address = f"/api/v1/p/{P}/labeling/batches/stuck"
    states = []
    for action in ("pause", "resume", "cancel"):
        answer = reviewer.post(f"{address}/state", json={"action": action})
        assert answer.status_code == 200, answer.text
        states.append(answer.json()["state"])
    assert states == ["paused", "in progress", "cancelled"]
    again = reviewer.post(f"{address}/state", json={"action": "pause"})
    assert again.status_code == 400
    assert "'stuck' is cancelled, and cannot become paused" in again.json()["error"]
    lines = [line.entry for line in labelled.log.export(Wanted())]
    done = [(e.action, e.target, e.user) for e in lines if e.action.startswith("batch.")]
    assert done == [(f"batch.{a}", "stuck", "rev") for a in ("pause", "resume", "cancel")]
    view = reviewer.get(address).json()
    assert view["actions"] == []
    others = reviewer.get(f"/api/v1/p/{P}/labeling/batches/waits").json()["batch"]
    assert others["state"] == "open"


def test_a_batch_with_a_refused_annotation_has_a_page(labelled: Inspector) -> None:
    """Its annotators were counted with as many times as there are labels that are not refused."""
    catalog = Catalog(labelled.workspace.store, P)
    [bad] = annotate(catalog, "stuck", image_ids(60, seed="stuck")[30:31], "ann", tool_project=1)
    refuse(catalog, [bad])
    viewer = labelled.person("vic", {P: Role.VIEWER})
    answer = viewer.get(f"/api/v1/p/{P}/labeling/batches/stuck")
    assert answer.status_code == 200, answer.text
    assert answer.json()["batch"]["labelled"] == 20


def test_amounts_by_person_are_for_who_may_launch(labelled: Inspector) -> None:
    """Cost, skill and pace of a person; whoever may view sees the totals."""
    for role in Role:
        client = labelled.person(f"a-{role}", {P: role})
        allowed = Permission.LAUNCH in ALLOWED[role]
        cost, queue, batch = (
            client.get(f"/api/v1/p/{P}/labeling{path}") for path in ("/cost", "", "/batches/done")
        )
        if Permission.VIEW not in ALLOWED[role]:
            assert {a.status_code for a in (cost, queue, batch)} == {403}
            continue
        assert cost.json()["every"]["cost"] > 0
        assert bool(cost.json()["annotators"]) is allowed, role
        assert bool(queue.json()["annotators"]) is allowed, role
        times = {row["seconds"] is not None for row in batch.json()["annotators"]}
        assert times == {allowed}, role
        page = client.get(f"/p/{P}/labeling/cost", headers=PAGE).text
        assert ("By annotator" in page) is allowed, role


def test_what_was_pulled_and_is_not_imported_is_told_and_imported_with_one_button(
    labelled: Inspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    engineer = labelled.person("eve", {P: Role.ENGINEER})
    view = engineer.get(f"/api/v1/p/{P}/labeling").json()
    assert (view["not_imported"], view["importing"]) == (80, "")
    page = engineer.get(f"/p/{P}/labeling", headers=PAGE).text
    assert "80 states of annotations were pulled, and are not imported yet" in page
    assert "data-import" in page
    reviewer = labelled.person("rev", {P: Role.REVIEWER})
    assert "data-import" not in reviewer.get(f"/p/{P}/labeling", headers=PAGE).text
    assert reviewer.post(f"/api/v1/p/{P}/labeling/import", json={}).status_code == 403

    launched: list[tuple[str, str, str]] = []

    def launch(job: str, _: str, *, actor: str, origin: str) -> str:
        launched.append((job, actor, origin))
        return "a run"

    monkeypatch.setattr("cv_pipeline.inspector.pages.labeling.launch_job", launch)
    answer = engineer.post(f"/api/v1/p/{P}/labeling/import", json={})
    assert (answer.status_code, answer.json()) == (202, {"run_id": "a run", "launched": True})
    assert launched == [(f"{P}_annotations", "eve", "inspector")]
    assert labelled.actions()[-1] == "labeling.import"
    run = DagsterRun(job_name=f"{P}_annotations", status=DagsterRunStatus.STARTED)
    labelled.workspace.instance.add_run(run)
    answer = engineer.post(f"/api/v1/p/{P}/labeling/import", json={})
    assert answer.json() == {"run_id": run.run_id, "launched": False}
    assert len(launched) == 1
    assert f"/runs/{run.run_id}" in engineer.get(f"/p/{P}/labeling", headers=PAGE).text
    labelled.workspace.instance.delete_run(run.run_id)


def test_settings_are_changed_one_by_one(labelled: Inspector) -> None:
    reviewer = labelled.person("rev", {P: Role.REVIEWER})
    address = f"/api/v1/p/{P}/labeling/batches/waits"
    given = {"owner": "rev", "overlap": 2, "deadline": "2030-01-02T03:04Z", "difficulty": "hard"}
    row = reviewer.post(f"{address}/settings", json=given).json()
    assert (row["owner"], row["overlap"], row["difficulty"]) == ("rev", 2, "hard")
    assert row["deadline"].startswith("2030-01-02T03:04")
    row = reviewer.post(f"{address}/settings", json={"deadline": ""}).json()
    assert row["deadline"] is None
    assert row["owner"] == "rev"
    wrong = reviewer.post(f"{address}/settings", json={"difficulty": "impossible"})
    assert wrong.status_code == 400
    assert "is no difficulty" in wrong.json()["error"]


def test_work_is_given_out_to_accounts_and_others_keep_what_they_have(labelled: Inspector) -> None:
    reviewer = labelled.person("rev", {P: Role.REVIEWER})
    database = labelled.workspace.database
    assign(database, project=P, batch="stuck", users=["rev"], actor="rev")
    answer = reviewer.post(f"/api/v1/p/{P}/labeling/assign", json={}).json()
    assert (answer["labels"], answer["changed"], answer["unassigned"]) == (40, 40, [])
    loads = {row["account"]: row["weeks"] for row in answer["annotators"]}
    assert loads["anna"] == pytest.approx(loads["ben"], rel=0.1)  # ben has half the hours
    users = [each.user for each in assignments(database, project=P, batch="stuck")]
    assert users == ["anna", "ben", "rev"]
    again = reviewer.post(f"/api/v1/p/{P}/labeling/assign", json={}).json()
    assert again["changed"] == 0
    assert "labeling.assign" in labelled.actions()


def test_costs_are_of_the_labels_there_are(
    labelled: Inspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where what they are reckoned from lies in memory where what was before lay."""
    monkeypatch.setattr(reading, "id", lambda _: 7, raising=False)
    viewer = labelled.person("vic", {P: Role.VIEWER})
    url = f"/api/v1/p/{P}/labeling/cost"
    assert viewer.get(url).json()["every"]["labels"] == 80
    images = image_ids(60, seed="stuck")[20:25]
    annotate(Catalog(labelled.workspace.store, P), "stuck", images, "ann", tool_project=5)
    assert viewer.get(url).json()["every"]["labels"] == 85


def test_costs_are_shown_with_prelabels_and_beside_the_control_arm(labelled: Inspector) -> None:
    viewer = labelled.person("vic", {P: Role.VIEWER})
    view = viewer.get(f"/api/v1/p/{P}/labeling/cost").json()
    assert (view["unit"], view["every"]["labels"]) == ("EUR", 80)
    without, with_them = view["prelabels"]
    assert (without["labels"], with_them["labels"]) == (60, 20)
    # 12 s at 18 EUR an hour, and a cent
    assert with_them["value"] == pytest.approx(12 / 3600 * 18 + 0.01)
    assert with_them["ratio"] < 1
    assert [row["name"] for row in view["arms"]] == ["random", "rarity"]
    page = viewer.get(f"/p/{P}/labeling/cost", headers=PAGE).text
    assert "Marginal cost" in page
    assert '<svg class="chart' in page
