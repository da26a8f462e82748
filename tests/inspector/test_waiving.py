"""A gate that fails for real, waived in the inspector for one candidate, and told ever after."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from cv_pipeline.inspector import create_app
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.workspace import Workspace
from tests.tiny_world import TinyWorld

REASON = "Test images <script>alert(1)</script> of one day are wanted here."
API = "/api/v1/p/tiny"


@pytest.fixture
def refused_world(own_world: TinyWorld, monkeypatch: pytest.MonkeyPatch) -> TinyWorld:
    """A world whose newest candidate failed its gate."""
    text = own_world.project_file.read_text()
    query = "dataset:\n  query: {where: \"path != '000.png'\"}\n  split:"
    assert "dataset:\n  split:" in text
    own_world.project_file.write_text(
        text.replace("dataset:\n  split:", query) + "checks: {time_leakage: {severity: error}}\n"
    )
    done = own_world.run(
        "cvp", "run", "tiny", "--select", "dataset_candidate,dataset_version", check=False
    )
    assert done.returncode == 1
    for name, value in own_world.environment.items():
        if name.startswith(("CV_", "DAGSTER_")):
            monkeypatch.setenv(name, value)
    return own_world


def client(workspace: Workspace, role: Role) -> TestClient:
    access = Access("ada", {"tiny": role}, means="session", csrf="x")
    app = create_app(workspace, authenticator=lambda _: access)
    return TestClient(app, headers={"x-csrf-token": "x"}, base_url="http://127.0.0.1")


def test_a_failed_gate_is_waived_for_one_candidate_and_told_ever_after(
    refused_world: TinyWorld,
) -> None:
    workspace = Workspace.open()
    admin, engineer, viewer = (
        client(workspace, role) for role in (Role.ADMIN, Role.ENGINEER, Role.VIEWER)
    )
    listed = admin.get(f"{API}/datasets").json()
    refused = listed["refused"]
    assert (refused["state"], refused["open"]) == ("refused", ["time_leakage"])
    assert len(listed["versions"]) == 1
    number = refused["row"]["storage_id"]
    waivers = f"{API}/candidates/{number}/waivers"
    given = {"checks": ["time_leakage"], "reason": REASON}

    # without the permission, in a role that the project does not let, or not as it must be
    assert viewer.post(waivers, json=given).status_code == 403
    answer = engineer.post(waivers, json=given)
    assert answer.status_code == 403
    assert "engineer, may not waive" in answer.json()["error"]
    for wrong, status in (
        ({"checks": ["time_leakage"]}, 422),
        ({**given, "reason": " "}, 409),
        ({**given, "checks": []}, 422),
        ({**given, "checks": ["integrity"]}, 409),
        ({**given, "actor": "somebody else"}, 422),
    ):
        assert admin.post(waivers, json=wrong).status_code == status, wrong
    first = listed["candidates"][-1]["storage_id"]
    assert admin.post(f"{API}/candidates/{first}/waivers", json=given).status_code == 409
    assert admin.post(f"{API}/candidates/{10**6}/waivers", json=given).status_code == 404
    assert admin.get(f"{API}/datasets").json()["refused"]["state"] == "refused"

    waiver = admin.post(waivers, json=given)
    assert waiver.status_code == 201, waiver.text
    assert waiver.json()["actor"] == "ada"
    page = admin.get(f"/p/tiny/datasets/candidates/{number}", headers={"Accept": "text/html"}).text
    assert "What stopped the candidate was waived" in page
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page

    refused_world.run("cvp", "run", "tiny", "--select", "dataset_version")
    version = admin.get(f"{API}/datasets/latest").json()
    assert version["candidate"]["storage_id"] == number
    assert [w["reason"] for w in version["waivers"]] == [REASON]
    leak = next(c for c in version["checks"] if c["name"] == "time_leakage")
    assert (leak["passed"], leak["blocks"], leak["waived_by"]) == (False, True, "ada")
    digest = version["row"]["digest"]
    record = refused_world.home / f"store/projects/tiny/datasets/{digest}/dataset.json"
    assert json.loads(record.read_text())["waivers"][0]["digest"] == waiver.json()["digest"]
    newest = admin.get(f"{API}/datasets").json()
    assert newest["versions"][0]["waived"] == ["time_leakage"]
    assert newest["refused"] is None
    workspace.close()
