"""One image: what is known of it, its place in a query, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.assignments import assign
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.workspace import Workspace

API = "/api/v1/p/large/images"


@pytest.fixture(scope="module")
def client(inspected: Callable[..., TestClient]) -> TestClient:
    return inspected()


@pytest.fixture(scope="module")
def workspace(client: TestClient) -> Workspace:
    found: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    return found


def get(client: TestClient, path: str, **parameters: Any) -> dict[str, Any]:
    answer = client.get(f"{API}{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_neighbours_in_a_query_are_those_of_the_grid(client: TestClient) -> None:
    state = {"evaluation": "latest", "kind": "missed"}
    items = get(client, "/rows", **state, count=5)["items"]
    ids = [item["id"] for item in items]
    for position in (None, 2, 4, 99_999):  # a position that is out of date is found again
        more = {} if position is None else {"position": position}
        place = get(client, f"/{ids[2]}", **state, **more)["place"]
        assert (place["position"], place["previous"], place["next"]) == (2, ids[1], ids[3])
    first = get(client, f"/{ids[0]}", **state)["place"]
    assert (first["position"], first["previous"]) == (0, None)
    outside = get(client, f"/{ids[0]}", q="width > 1000000")["place"]
    assert (outside["position"], outside["total"]) == (None, 0)
    broken = get(client, f"/{ids[0]}", q="nothing = 1")
    assert "There is no field" in broken["place"]["problem"]
    assert broken["path"]


def test_it_says_what_the_evaluation_and_every_chosen_model_say(
    client: TestClient, workspace: Workspace
) -> None:
    item = get(client, "/rows", evaluation="latest", kind="missed", count=1)["items"][0]
    page = get(client, f"/{item['id']}", evaluation="latest")
    made = workspace.evaluated("large").evaluation
    said = page["evaluation"]
    assert (said["model"], said["score"]) == (made.record.model, item["score"])
    assert said["marks"] == item["marks"]
    then = {mark["annotation_id"] for mark in said["labels"]}
    meant = {m["annotation_id"] for m in said["marks"] if m["truth"]}
    assert meant == then
    now = [(m["label"], m["box"], m["annotator"]) for m in page["labels"]]
    assert sorted(now) == sorted((m["label"], m["box"], m["annotator"]) for m in said["labels"])
    chosen = [model for model in page["models"] if model["chosen"]]
    assert [model["model"] for model in chosen] == [made.record.model]
    counting = [m for m in chosen[0]["marks"] if m["score"] >= chosen[0]["operating_point"]]
    assert len(counting) == sum(m["kind"] != "missed" for m in said["marks"])
    asked = ",".join(model["model"] for model in page["models"])
    told = [m for m in get(client, f"/{item['id']}", models=asked)["models"] if m["chosen"]]
    # the world's other models are only told of, and say why they show nothing
    assert len([m for m in told if m["marks"]]) == 2
    assert all(m["problem"] for m in told if not m["marks"])


def test_facts_lead_to_the_images_that_share_them(client: TestClient) -> None:
    item = get(client, "/rows", q="tag = 'promo'", count=1)["items"][0]
    page = get(client, f"/{item['id']}")
    facts = [*page["metadata"], *page["tags"]]
    assert facts
    for fact in facts:
        assert get(client, "/count", q=f"{fact['query']} and image = '{item['id']}'")["count"] == 1


def test_what_became_of_it(client: TestClient, workspace: Workspace) -> None:
    item = get(client, "/rows", evaluation="latest", count=1)["items"][0]
    used = get(client, f"/{item['id']}/belongs")["used_by"]
    evaluation = workspace.evaluated("large").event.version
    kinds = {b["kind"] for b in used}
    assert {"dataset", "model", "evaluation"} <= kinds
    assert evaluation in {b["version"] for b in used if b["kind"] == "evaluation"}
    assert all(b["href"].startswith("/p/large/") for b in used if b["kind"] != "champion")
    changes = get(client, f"/{item['id']}/history")["changes"]
    assert {"annotations", "dataset"} == {c["source"] for c in changes}


def test_a_judgement_is_kept_with_who_gave_it(client: TestClient) -> None:
    item = get(client, "/rows", evaluation="latest", count=1)["items"][0]
    digest = get(client, "", evaluation="latest")["evaluation"]["digest"]
    path = f"{API}/{item['id']}/reviews"
    said = {"evaluation": digest, "verdict": "wrong", "note": "<b>the label is"}
    told = client.post(path, json=said).json()["judgements"][-1]
    assert (told["actor"], told["note"], told["verdict"]) == ("ada", "<b>the label is", "wrong")
    assert get(client, f"/{item['id']}/reviews", evaluation=digest)["judgements"][-1] == told
    for bad in ({"verdict": "maybe"}, {"actor": "eve"}):
        assert client.post(path, json=said | bad).status_code == 422


@pytest.mark.parametrize("ref", ["f" * 64, "nothing", "..%2f..%2fetc%2fpasswd", "%00"])
def test_an_image_that_there_is_not(client: TestClient, ref: str) -> None:
    for accept in ("application/json", "text/html"):
        answer = client.get(f"/p/large/images/{ref}", headers={"Accept": accept})
        assert answer.status_code == 404
    assert "Traceback" not in answer.text


def test_an_annotator_sees_what_is_assigned_and_no_answers(
    client: TestClient, inspected: Callable[[Access], TestClient], workspace: Workspace
) -> None:
    import time

    query = "label = 'class_4' limit 6"
    own = [item["id"] for item in get(client, "/rows", q=query)["items"]]
    made = client.post(
        "/api/v1/p/large/batches", json={"query": query, "name": "for_ann", "purpose": "relabel"}
    )
    assert made.status_code == 201, made.text
    assign(workspace.database, project="large", batch="for_ann", users=["ann"], actor="ada")
    time.sleep(1.1)  # how old a snapshot may be
    annotator = inspected(Access("ann", {"large": Role.ANNOTATOR}, means="session", csrf="c"))
    grid = get(annotator, "")
    assert sorted(item["id"] for item in grid["items"]) == sorted(own)
    assert all(item["marks"] == [] for item in grid["items"])
    assert {f["name"] for f in get(annotator, "/facets")["facets"]}.isdisjoint(
        {"label", "annotator", "state"}
    )
    page = get(annotator, f"/{own[0]}")
    assert (page["labels"], page["models"], page["evaluation"], page["blind"]) == (
        [],
        [],
        None,
        True,
    )
    assert page["prelabels"] == []
    assert get(annotator, f"/{own[0]}", then="2")["then"] is None
    assert page["place"]["total"] == len(own)
    other = next(i["id"] for i in get(client, "/rows")["items"] if i["id"] not in own)
    for path in (f"/{other}", f"/{own[0][:16]}", f"/{other}/similar"):
        assert annotator.get(f"{API}{path}").status_code in (403, 404)
    for path in ("history", "belongs", "similar"):
        assert annotator.get(f"{API}/{own[0]}/{path}").status_code == 403
    asked = {"evaluation": "latest"}
    refused = get(annotator, f"/{own[0]}", **asked)
    assert refused["evaluation"] is None


def test_no_request_waits_for_where_a_model_looks(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading
    import time

    from cv_pipeline.inspector.images import activation
    from cv_pipeline.inspector.pages import single_image
    from cv_pipeline.provenance.explained import ActivationPicture

    go, read = threading.Event(), []

    def slow(model: str, image: str, **_: object) -> ActivationPicture:
        assert go.wait(60)
        return ActivationPicture("large", "m", image, "", "class_1", 0.5, None, None, b"png")

    monkeypatch.setattr(single_image, "activation_map", slow)
    monkeypatch.setattr(activation, "PATIENCE", 0.05)
    monkeypatch.setattr(activation, "open_explainer", lambda model, **_: read.append(model))
    item = get(client, "/rows", count=1)["items"][0]
    url = f"/p/large/images/{item['id']}/activation"
    began = time.monotonic()
    waiting = client.get(url, params={"model": "slow"})
    assert time.monotonic() - began < 5
    assert (waiting.status_code, waiting.headers["retry-after"]) == (202, "1")
    assert "being computed" in waiting.json()["what"]
    go.set()
    while (answer := client.get(url, params={"model": "slow"})).status_code == 202:
        assert time.monotonic() - began < 60
    assert (answer.status_code, answer.content) == (200, b"png")
    while not get(client, f"/{item['id']}/explainer", model="slow")["ready"]:
        assert time.monotonic() - began < 60
    assert read == ["large@slow"]  # once, however often it is asked for
