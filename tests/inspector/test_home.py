"""The first page tells how each project stands, within a time that is bounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.board.cards import Cards, ProjectState
from cv_pipeline.inspector.workspace import Workspace

Client = Callable[..., TestClient]


def state(images: int = 0) -> ProjectState:
    return ProjectState(
        metric="AP50",
        value=0.5,
        change=None,
        dropped=False,
        trend=[0.4, None, 0.5],
        evaluation="e",
        alerts=0,
        bad=0,
        run=None,
        images=images,
        labelled=0,
        missing=[],
        at=datetime.now(UTC),
    )


def test_a_card_has_the_numbers_of_the_board(inspected: Client) -> None:
    client = inspected()
    board = client.get("/api/v1/p/large").json()
    deadline = time.monotonic() + 20
    while (card := client.get("/api/v1/").json()["projects"][0])["state"] is None:
        assert time.monotonic() < deadline
    told = card["state"]
    assert (told["metric"], told["value"]) == ("AP50", board["metrics"][0]["value"])
    assert told["change"] == board["metrics"][0]["change"]
    assert told["evaluation"] == board["newest"]
    assert told["trend"][-1] == told["value"]
    assert (told["images"], told["labelled"]) == (board["images"], board["labelled"])
    assert told["alerts"] == len(board["alerts"]) > 0
    page = client.get("/", headers={"Accept": "text/html"}).text
    assert f'href="/p/large/evaluations/{board["newest"]}"' in page
    assert "card-trend" in page


def test_an_annotator_is_told_nothing_of_how_it_stands(inspected: Client) -> None:
    anna = inspected(Access("anna", {"large": Role.ANNOTATOR}, means="session", csrf="x"))
    [card] = anna.get("/api/v1/").json()["projects"]
    assert (card["name"], card["state"]) == ("large", None)
    nobody = inspected(Access("zoe", {}, means="session", csrf="x"))
    assert nobody.get("/api/v1/").json()["projects"] == []


def test_what_is_wrong_with_a_file_is_told_to_its_admins_alone(
    inspected: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = inspected()
    workspace: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    folder = workspace.projects_folder / "broken"
    folder.mkdir()
    try:
        (folder / "project.yaml").write_text("name: broken\ntask: juggling\n")
        viewer = inspected(Access("victor", {"*": Role.VIEWER}, means="session", csrf="x"))
        for who, told in ((client, True), (viewer, False)):
            cards = {c["name"]: c for c in who.get("/api/v1/").json()["projects"]}
            said = cards["broken"]["problem_with_it"]
            assert said
            assert (str(folder) in said, "juggling" in said) == (told, told)
    finally:
        (folder / "project.yaml").unlink()
        folder.rmdir()


def test_slow_projects_do_not_hold_up_the_page_and_come_later() -> None:
    def gather(name: str) -> ProjectState:
        time.sleep(0.5)
        return state(images=len(name))

    cards = Cards(gather)
    names = ["a", "bb", "ccc", "dddd"]
    began = time.monotonic()
    first = cards.of(names, patience=0.1)
    assert time.monotonic() - began < 0.4
    assert first == {}
    deadline = time.monotonic() + 10
    while len(found := cards.of(names, patience=0.1)) < len(names):
        assert time.monotonic() < deadline
    assert {name: one.images for name, one in found.items()} == {n: len(n) for n in names}


def test_a_project_that_cannot_be_gathered_does_not_take_the_others_with_it() -> None:
    def gather(name: str) -> ProjectState:
        if name == "bad":
            raise OSError("the disk is gone")
        return state()

    assert set(Cards(gather).of(["bad", "good"], patience=5)) == {"good"}


def test_a_trend_is_drawn_from_what_is_known() -> None:
    assert state().path == "M0.0,21.0 L100.0,3.0"
    assert state().model_copy(update={"trend": [None, 0.5]}).path == ""
