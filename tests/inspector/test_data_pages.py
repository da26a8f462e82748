"""Datasets, models, comparison, lineage, queries and overview, on a world with pictures."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from starlette.testclient import TestClient

from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role

Client = Callable[..., TestClient]
P, API = "/p/large", "/api/v1/p/large"
HOSTILE = "'\"><script>alert(1)</script>"


@pytest.fixture(scope="module")
def client(inspected: Client) -> TestClient:
    return inspected()


def html(client: TestClient, path: str, status: int = 200) -> str:
    response = client.get(path, headers={"Accept": "text/html"})
    assert response.status_code == status, response.text[:2000]
    return response.text


def done(client: TestClient, path: str) -> dict[str, Any]:
    """The twin of a page, once what it shows is worked out."""
    for _ in range(120):
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        if found["job"]["state"] != "running":
            return found
        time.sleep(0.25)
    raise AssertionError(f"{path} is not done after 30 s")


def links(text: str) -> set[str]:
    """Addresses of the project that a page leads to."""
    return {unescape(a) for a in re.findall(r'href="([^"]+)"', text) if a.startswith("/p/large")}


def images_selected(client: TestClient, address: str) -> int:
    """How many images the grid at an address has."""
    asked = parse_qs(urlsplit(address).query)
    answer = client.get(f"{API}/images", params={"q": asked["q"][0]})
    found = answer.json()
    assert answer.status_code == 200, (address, answer.text)
    assert found["problem"] is None, (address, found["problem"])
    return int(found["total"])


@pytest.fixture(scope="module")
def versions(client: TestClient) -> list[dict[str, Any]]:
    """Dataset versions, the newest first."""
    found: list[dict[str, Any]] = client.get(f"{API}/datasets").json()["versions"]
    return found


def test_the_list_of_versions_says_what_changed_and_what_came_of_them(
    client: TestClient, versions: list[dict[str, Any]]
) -> None:
    assert [v["images"] for v in versions] == [1000, 666, 333]
    assert [v["before"] for v in versions] == [versions[1]["digest"], versions[2]["digest"], ""]
    assert versions[0]["models"] >= 2
    text = html(client, f"{P}/datasets")
    first, second = versions[0]["digest"], versions[1]["digest"]
    assert f"{P}/datasets/{second}/changes/{first}" in links(text)


def test_a_version_leads_to_its_images_by_split_and_class(
    client: TestClient, versions: list[dict[str, Any]]
) -> None:
    found = client.get(f"{API}/datasets/{versions[0]['digest'][:12]}").json()
    assert sum(found["splits"].values()) == 1000
    assert list(found["splits"]) == ["train", "val", "test"]
    assert sum(c["total"] for c in found["classes"]) == versions[0]["objects"]
    assert [c["name"] for c in found["checks"]] == ["integrity"]
    assert len(found["models"]) == versions[0]["models"]
    addresses = links(html(client, f"{P}/datasets/latest"))
    whole = [a for a in addresses if "split" in a and "label" not in a]
    assert sorted(images_selected(client, a) for a in whole) == sorted(found["splits"].values())
    assert f"{P}/lineage/dataset/{found['row']['digest']}" in addresses
    asked = [parse_qs(urlsplit(a).query) for a in addresses if "/images?" in a]
    of_classes = [a for a in asked if "label = " in a["q"][0]]
    assert len(of_classes) >= len(found["classes"])
    # of the labels that the version has, and not of those of now
    moments = {a.get("as_of", [""])[0] for a in of_classes}
    assert moments == {found["row"]["digest"][:16]}


def test_a_stale_link_explains_itself(client: TestClient) -> None:
    for path in ("datasets/feedfeed", "models/feedfeed", "lineage/model/feedfeed"):
        assert "The latest: " in html(client, f"{P}/{path}", 404), path
    assert "Did you mean" in html(client, f"{P}/lineage/modell/latest", 404)
    assert "has no image" in html(client, f"{P}/lineage/image/feedfeedfeed", 404)
    assert client.get(f"{API}/datasets/candidates/999999").status_code == 404
    assert client.get(f"{API}/queries/no_such_name").status_code == 404


def test_changes_are_counted_explained_and_paged(
    client: TestClient, versions: list[dict[str, Any]]
) -> None:
    old, new = versions[2]["digest"], versions[0]["digest"]
    path = f"/datasets/{old}/changes/{new}"
    found = done(client, f"{API}{path}?limit=50")
    assert found["summary"]["images"] == {"added": 1000 - 333}
    assert found["total"] == 667
    assert len(found["rows"]) == 50
    assert sum(r["count"] for r in found["summary"]["image_reasons"]) == 667
    last = done(client, f"{API}{path}?limit=50&offset=650")
    assert len(last["rows"]) == 17
    seen = {row["image_id"] for row in found["rows"]} & {r["image_id"] for r in last["rows"]}
    assert seen == set()
    labels = done(client, f"{API}{path}?what=labels&change=added&limit=10")
    assert labels["total"] == versions[0]["objects"] - versions[2]["objects"]
    reason = found["summary"]["image_reasons"][0]["reason"]
    some = done(client, f"{API}{path}?change=added&reason={quote(reason)}")
    assert some["total"] == found["summary"]["image_reasons"][0]["count"]
    assert done(client, f"{API}{path}?change=removed")["total"] == 0
    address = next(
        a
        for a in links(html(client, f"{P}{path}?change=added"))
        if "not%20dataset" in a or "not+dataset" in a
    )
    assert images_selected(client, address) == 667
    back = done(client, f"{API}/datasets/{new}/changes/{old}")
    assert back["summary"]["images"] == {"removed": 667}


def test_changes_are_kept_and_found_again(
    inspected: Client, versions: list[dict[str, Any]], client: TestClient
) -> None:
    from cv_pipeline.inspector.data.changes import Changes

    old, new = versions[1]["digest"], versions[0]["digest"]
    found = done(client, f"{API}/datasets/{old}/changes/{new}")
    home = client.app.state.workspace.cache  # type: ignore[attr-defined]
    [folder] = (home / "inspector" / "changes").glob(f"{old[:32]}-{new[:32]}-*")
    rows, total = Changes(folder).rows("images", change="", reason="", offset=0, limit=3)
    assert total == found["total"]
    assert [r["image_id"] for r in rows] == [r["image_id"] for r in found["rows"][:3]]


def test_models_with_a_leaderboard_that_is_tested_in_pairs(client: TestClient) -> None:
    found = done(client, f"{API}/models")
    assert len(found["rows"]) == 6
    best, other = found["standings"]["entries"][:2]
    assert best["value"] > other["value"]
    assert other["significant"] is True
    assert other["behind"] < 0
    assert found["dataset"] == client.get(f"{API}/datasets/latest").json()["row"]["digest"]
    assert f"{P}/models/{best['model']}" in links(html(client, f"{P}/models"))


def test_a_model_with_its_curve_whose_drops_lead_to_their_images(client: TestClient) -> None:
    found = client.get(f"{API}/models/latest").json()
    [drop] = found["curve"]["drops"]
    assert drop["epoch"] == 4
    assert drop["href"] == f"{P}/images?model={found['row']['digest']}&epoch=4"
    alerts = [p for p in found["curve"]["validation"]["lines"][0]["points"] if p["alert"]]
    assert [p["href"] for p in alerts] == [drop["href"]]
    assert found["weights"] == 1000
    assert found["costs"]["latency_p95_ms"] == 31.0
    text = html(client, f"{P}/models/latest")
    assert drop["href"] in links(text)
    assert f"{P}/lineage/model/{found['row']['digest']}" in links(text)
    # a model that is only told of has no folder, and its page still answers
    last = done(client, f"{API}/models")["rows"][-1]["digest"]
    assert client.get(f"{API}/models/{last}").json()["curve"] is None
    html(client, f"{P}/models/{last}")


def test_two_models_are_compared_without_anything_typed(client: TestClient) -> None:
    found = done(client, f"{API}/compare")
    main = found["compared"]["overall"][0]
    assert main["name"] == found["metric"]
    assert (main["better"], main["significant"]) == (False, True)  # the newest is the worse one
    lost, gained = found["compared"]["lost"], found["compared"]["gained"]
    assert lost["count"] > gained["count"]
    assert images_selected(client, f"?q={quote(lost['query'])}") == lost["named"]
    assert {c["name"] for c in found["compared"]["costs"]} >= {"latency_p95_ms", "weights"}
    text = html(client, f"{P}/compare")
    assert text.count("<select") == 2
    swapped = f"{P}/compare?before={found['after']}&after={found['before']}"
    assert swapped in links(text)
    back = done(client, swapped.replace(P, API))
    assert back["compared"]["gained"]["count"] == lost["count"]
    for one in found["compared"]["slices"][:6]:
        assert images_selected(client, one["href"]) >= 1


def test_lineage_of_anything_both_ways(client: TestClient, versions: list[dict[str, Any]]) -> None:
    newest = client.get(f"{API}/lineage").json()
    assert newest["kind"] == "model"
    kinds = {box["kind"] for box in newest["drawing"]["boxes"]}
    assert {"images", "candidate", "dataset", "model", "predictions", "evaluation"} <= kinds
    own = next(box for box in newest["drawing"]["boxes"] if box["own"])
    for edge in newest["drawing"]["edges"]:
        source, target = (
            next(b for b in newest["drawing"]["boxes"] if b["id"] == edge[end])
            for end in ("source", "target")
        )
        assert source["x"] < target["x"]  # what was read stands before what was made from it
    text = html(client, f"{P}/lineage")
    for box in newest["drawing"]["boxes"]:
        assert not box["href"] or box["href"] in links(text)
    assert own["href"] == f"{P}/models/{newest['title']}"
    metric = client.get(f"{API}/lineage/metric/AP50@latest").json()
    assert [item["kind"] for item in metric["up"]] == ["evaluation"]
    image = versions[0]["digest"]
    first = done(client, f"{API}/datasets/{versions[2]['digest']}/changes/{image}")["rows"][0]
    traced = client.get(f"{API}/lineage/image/{first['image_id']}")
    while traced.json()["job"] is not None:
        time.sleep(0.2)
        traced = client.get(f"{API}/lineage/image/{first['image_id']}")
    assert {item["kind"] for item in traced.json()["down"]} == {"dataset"}
    # another project's metric is not reached by way of this one
    assert client.get(f"{API}/lineage/metric/other/AP50@latest").status_code == 404


def test_the_overview_leads_to_what_it_counts(client: TestClient) -> None:
    found = done(client, f"{API}/overview")
    assert found["total"] == 2000
    for state in found["states"]:
        assert images_selected(client, f"?q={quote(state['query'])}") == state["count"], state
    for group in (*found["classes"][:3], *found["annotators"][:3]):
        assert images_selected(client, f"?q={quote(group['query'])}") == group["images"], group
    text = html(client, f"{P}/overview")
    assert f"{P}/models" in links(text)


def test_queries_are_asked_again_and_forgotten(client: TestClient, inspected: Client) -> None:
    saved = client.post(f"{API}/queries", json={"q": "brightness < 0.5", "name": "darker"})
    assert saved.status_code == 200, saved.text
    listed = client.get(f"{API}/queries").json()
    row = next(r for r in listed["saved"] if r["name"] == "darker")
    assert (row["text"], row["actor"]) == ("brightness < 0.5", "ada")
    again = done(client, f"{API}/queries/darker")
    assert again["again"]["then"]["count"] == again["again"]["today"]["count"] == row["count"]
    assert again["again"]["added"]["count"] == 0
    assert "SELECT" in again["sql"]
    html(client, f"{P}/queries/darker")
    # asking again is in the log, and an entry of the log can be asked again itself
    asked = client.get(f"{API}/queries").json()["asked"]
    assert asked[0]["actor"] == "ada"
    assert (
        done(client, f"{API}/queries/{asked[0]['query_id']}")["again"]["then"]["count"]
        == (asked[0]["count"])
    )
    annotator = inspected(Access("ann", {"large": Role.ANNOTATOR}, means="session", csrf="x"))
    assert annotator.delete(f"{API}/queries/darker").status_code == 403
    assert client.delete(f"{API}/queries/{asked[0]['query_id']}").status_code == 404
    assert client.delete(f"{API}/queries/darker").status_code == 200
    assert client.delete(f"{API}/queries/darker").status_code == 404


def test_which_images_had_the_tag_when_the_metric_was_good(client: TestClient) -> None:
    listed = client.get(f"{API}/queries").json()
    assert listed["metrics"][0] == "AP50"
    tag = listed["tags"][0]
    asked = f"metric=AP50&number=0.01&tag={quote(tag)}"
    found = done(client, f"{API}/queries?{asked}")
    assert found["answer"]["images"]["count"] > 0
    assert found["answer"]["text"].startswith("tag = ")
    whole = done(client, f"{API}/queries?metric=AP50&number=0.01")["answer"]
    assert whole["images"]["count"] > found["answer"]["images"]["count"]
    assert "had the tag" in html(client, f"{P}/queries?{asked}")
    never = done(client, f"{API}/queries?metric=AP50&number=2")
    assert never["job"]["state"] == "failed"
    assert "There is no answer" in html(client, f"{P}/queries?metric=AP50&number=2")
    assert client.get(f"{API}/queries?metric=none&number=1").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "datasets/{}",
        "datasets/{}/changes/latest",
        "datasets/latest/changes/latest?change={}&reason={}",
        "datasets?x={}",
        "models/{}",
        "models?dataset={}",
        "compare?before={}",
        "lineage/model/{}",
        "lineage/{}/latest",
        "lineage/image/{}",
        "lineage/metric/{}@latest",
        "queries/{}",
        "queries?metric=AP50&number=0.01&tag={}",
        "queries?metric={}&number=1",
    ],
)
@pytest.mark.parametrize("name", [HOSTILE, "../../../../etc/passwd", "x@large@latest", "a\0b"])
def test_hostile_names_stay_text(client: TestClient, path: str, name: str) -> None:
    response = client.get(
        f"{P}/{path.replace('{}', quote(name, safe=''))}", headers={"Accept": "text/html"}
    )
    assert response.status_code in (200, 404, 409, 422), response.text[:500]
    assert "<script>alert" not in response.text
    assert "root:" not in response.text


def test_only_those_who_may_see_the_project_see_its_data(inspected: Client) -> None:
    annotator = inspected(Access("ann", {"large": Role.ANNOTATOR}, means="session", csrf="x"))
    other = inspected(Access("eve", {"other": Role.ADMIN}, means="session", csrf="x"))
    for path in ("datasets", "models", "compare", "lineage", "queries", "overview"):
        assert annotator.get(f"{API}/{path}").status_code == 403
        assert other.get(f"{API}/{path}").status_code == 404
