"""All runs of a project, page by page, and stopping one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRun
from dagster import DagsterRunStatus as Status
from dagster_graphql import DagsterGraphQLClientError
from starlette.testclient import TestClient

from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.board import runs as board_runs
from cv_pipeline.inspector.board.runs import page_of_runs
from cv_pipeline.inspector.investigations.store import Investigations
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance import stopping
from cv_pipeline.provenance.corrective_runs import CORRECTIVE_TAG
from cv_pipeline.provenance.run_tags import ACTOR_TAG, ORIGIN_TAG, actor_of, origin_of
from sensors import jobs

P, API = "/p/large", "/api/v1/p/large"
STATES = [Status.SUCCESS, Status.FAILURE, Status.CANCELED, Status.STARTED]


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    """An instance with 150 runs of ``large`` among 150 of others, the newest last."""
    with DagsterInstance.ephemeral() as made:
        for number in range(300):
            job = f"{'large' if number % 2 else 'other'}_pipeline"
            made.add_run(DagsterRun(job_name=job, status=STATES[number // 2 % 4]))
        yield made


def every_page(instance: DagsterInstance, state: str, limit: int) -> list[str]:
    found: list[str] = []
    before = None
    while True:
        rows, before = page_of_runs(instance, "large", state=state, before=before, limit=limit)
        assert len(rows) <= limit
        found += [row.run_id for row in rows]
        if before is None:
            return found


def test_runs_of_every_job_of_a_project_are_its_runs() -> None:
    made = [make("large").name for name, make in vars(jobs).items() if name.endswith("_job")]
    assert "large_annotations" in made
    for name in made:
        run = DagsterRun(job_name=name)  # that of a sensor names no assets
        assert board_runs.projects_of(run) == {"large"}
        assert board_runs.in_words(run) != "some assets"


@pytest.mark.parametrize("limit", [7, 50, 200])
def test_every_run_of_the_project_is_on_one_page(instance: DagsterInstance, limit: int) -> None:
    own = [r.run_id for r in instance.get_runs() if r.job_name == "large_pipeline"]
    assert every_page(instance, "all", limit) == own
    failed = [
        r.run_id
        for r in instance.get_runs()
        if r.job_name == "large_pipeline" and r.status is Status.FAILURE
    ]
    assert every_page(instance, "failed", limit) == failed != []


def test_a_page_looks_at_so_many_runs_and_no_more(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of other projects do not make a page slow; older runs still follow."""
    monkeypatch.setattr(board_runs, "MOST_LOOKED_AT", 60)
    rows, before = page_of_runs(instance, "none of these", state="all", before=None, limit=50)
    assert (rows, before is not None) == ([], True)
    assert every_page(instance, "all", 50) == [
        r.run_id for r in instance.get_runs() if r.job_name == "large_pipeline"
    ]


@pytest.fixture(scope="module")
def client(inspected: Callable[..., TestClient]) -> TestClient:
    return inspected()


@pytest.fixture
def started(client: TestClient) -> Iterator[str]:
    """A run of ``large`` that goes on, until the test has ended."""
    workspace: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    tags = {ACTOR_TAG: "bob", CORRECTIVE_TAG: "abc", ORIGIN_TAG: "inspector"}
    run = DagsterRun(job_name="large_corrective", status=Status.STARTED, tags=tags)
    workspace.instance.add_run(run)
    yield run.run_id
    workspace.instance.delete_run(run.run_id)


def test_the_list_says_what_who_and_what_it_came_from(client: TestClient, started: str) -> None:
    workspace: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    Investigations(workspace.database).link_run("large", "7" * 24, run_id=started, user="bob")
    listed = client.get(f"{API}/runs").json()
    row = next(r for r in listed["runs"] if r["run"]["run_id"] == started)
    run = row["run"]
    assert (run["what"], run["status"], run["by"]) == ("corrective run", "STARTED", "bob")
    assert run["origin"] == "inspector"
    assert row["investigations"] == [{"id": "7" * 24, "title": "A corrective run"}]
    page = client.get(f"{P}/runs?state=unfinished", headers={"Accept": "text/html"}).text
    assert f'href="{P}/runs/{started}"' in page
    assert f'href="{P}/investigations/{"7" * 24}"' in page
    done = client.get(f"{API}/runs?state=succeeded").json()["runs"]
    assert started not in [r["run"]["run_id"] for r in done]
    assert client.get(f"{API}/runs?state=lost").status_code == 422


def test_the_list_says_from_where_a_run_was_launched() -> None:
    def run(remote: bool = True, **tags: str) -> Any:
        # what a webserver launches says where its code is
        told = {name.replace("__", "/"): value for name, value in tags.items()}
        return SimpleNamespace(tags=told, remote_job_origin="there" if remote else None)

    assert (origin_of(run(remote=False)), actor_of(run(remote=False))) == ("command line", "")
    assert origin_of(run()) == ""
    assert origin_of(run(dagster__from_ui="true")) == "Dagster's pages"
    by_sensor = run(dagster__sensor_name="large_new")
    assert (origin_of(by_sensor), actor_of(by_sensor)) == ("sensor", "sensor large_new")
    tags = {"cv_pipeline__actor": "eve", "cv_pipeline__origin": "inspector"}
    assert (origin_of(run(**tags)), actor_of(run(**tags))) == ("inspector", "eve")
    again = run(**tags, dagster__parent_run_id="1")  # with the tags of the first
    assert (origin_of(again), actor_of(again)) == ("run again in Dagster", "")


class Webserver:
    """Stands for Dagster's, which tests/test_ui.py has a real one of."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.stopped: list[str] = []

    def terminate_run(self, run_id: str) -> None:
        if self.refusal:
            raise DagsterGraphQLClientError("TerminateRunFailure", self.refusal)
        self.stopped.append(run_id)


def answering(monkeypatch: pytest.MonkeyPatch, made: Webserver) -> Webserver:
    monkeypatch.setattr(stopping, "webserver", lambda *_, **__: made)
    return made


def test_a_run_is_stopped_by_dagster_and_the_log_says_by_whom(
    client: TestClient, started: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    webserver = answering(monkeypatch, Webserver())
    body = {"reason": "the wrong parameters"}
    assert client.get(f"{API}/runs/{started}").json()["may_stop"]
    answered = client.post(f"{API}/runs/{started}/stop", json=body)
    assert answered.status_code == 202, answered.text
    assert webserver.stopped == [started]
    lines = client.get("/api/v1/audit", params={"action": "run.stop"}).json()["lines"]
    assert [(x["user"], x["target"], x["why"]) for x in lines[:1]] == [
        ("ada", started, "the wrong parameters")
    ]


def test_a_run_that_dagster_does_not_stop_says_why(
    client: TestClient, started: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, Webserver(refusal="its process is gone"))
    answered = client.post(f"{API}/runs/{started}/stop", json={})
    assert answered.status_code == 409
    assert "its process is gone" in answered.json()["error"]
    lines = client.get("/api/v1/audit", params={"action": "run.stop"}).json()["lines"]
    assert lines[0]["target"] == started  # that somebody meant to is known


def test_a_run_is_not_stopped_without_a_webserver_nor_twice(
    client: TestClient, started: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    monkeypatch.setattr(workspace, "dagster_ui", "http://127.0.0.1:9")
    answered = client.post(f"{API}/runs/{started}/stop", json={})
    assert (answered.status_code, "cvp ui" in answered.json()["do"]) == (409, True)
    run = workspace.instance.get_run_by_id(started)
    assert run is not None
    workspace.instance.report_run_canceled(run)
    answered = client.post(f"{API}/runs/{started}/stop", json={})
    assert "has ended already" in answered.json()["error"]


def test_only_who_may_launch_may_stop(inspected: Callable[..., TestClient], started: str) -> None:
    reviewer = inspected(Access("rita", {"large": Role.REVIEWER}, means="session", csrf="proof"))
    assert reviewer.post(f"{API}/runs/{started}/stop", json={}).status_code == 403
    assert not reviewer.get(f"{API}/runs/{started}").json()["may_stop"]
    page = reviewer.get(f"{P}/runs/{started}", headers={"Accept": "text/html"}).text
    assert "data-stop>" not in page


def test_a_run_of_two_projects_is_stopped_by_who_may_launch_in_both(
    inspected: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    webserver = answering(monkeypatch, Webserver())
    one = inspected(Access("eve", {"large": Role.ENGINEER}, means="session", csrf="proof"))
    workspace: Workspace = one.app.state.workspace  # type: ignore[attr-defined]
    keys = frozenset(AssetKey([name, "raw_images"]) for name in ("large", "other"))
    run = DagsterRun(job_name="__ASSET_JOB", asset_selection=keys, status=Status.STARTED)
    workspace.instance.add_run(run)
    answered = one.post(f"{API}/runs/{run.run_id}/stop", json={})
    assert (answered.status_code, webserver.stopped) == (403, [])
    roles = {"large": Role.ENGINEER, "other": Role.ENGINEER}
    both = inspected(Access("bea", roles, means="session", csrf="proof"))
    assert both.post(f"{API}/runs/{run.run_id}/stop", json={}).status_code == 202
    assert webserver.stopped == [run.run_id]
