"""The number beside each filter is what a click on it leads to, and what counting gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.workspace import Workspace

API = "/api/v1/p/large/images"
STATES: tuple[dict[str, str], ...] = (
    {},
    {"q": "brightness < 0.4"},
    {"q": "label = 'class_1' and metadata.scene in ('river', 'yard')"},
    {"q": "not tag = 'promo' and labelled"},
    {"q": "labelled = false"},
    {"evaluation": "latest"},
    {"evaluation": "latest", "kind": "missed"},
    {"evaluation": "latest", "label": "class_2"},
    {"evaluation": "latest", "label": "class_2", "kind": "error"},
    {"evaluation": "latest", "q": "all images"},
    # what a sample or the first of an order are drawn from changes with a click
    {"q": "labelled sample 30 seed 1"},
    {"q": "label = 'class_1' order by brightness limit 40"},
)


@pytest.fixture(scope="module")
def client(inspected: Callable[..., TestClient]) -> TestClient:
    return inspected()


def get(client: TestClient, path: str, **parameters: Any) -> dict[str, Any]:
    answer = client.get(f"{API}{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("state", STATES, ids=str)
def test_a_click_leads_to_the_count_beside_it(client: TestClient, state: dict[str, str]) -> None:
    page = get(client, "", **state)
    shown = {name: value for name, value in page["state"].items() if value}
    facets = get(client, "/facets", **shown)
    assert facets["total"] == page["total"]
    clicked = 0
    for facet in facets["facets"]:
        for value in facet["values"][:3]:
            if value["chosen"]:
                continue
            if facet["of"] == "state":
                after = shown | {facet["name"]: value["value"]}
            elif any(v["chosen"] == "in" for v in facet["values"]) and facet["name"] != "label":
                continue  # another value beside a chosen one adds to it
            else:
                asked = {"q": shown.get("q", ""), "name": facet["name"]}
                if isinstance(value["value"], bool):
                    asked["value"] = str(value["value"]).lower()
                elif value["value"] is not None:
                    asked["value"] = value["value"]
                after = shown | {"q": get(client, "/refine", **asked)["q"] or "all images"}
            found = get(client, "/count", **after)
            assert found["count"] == value["count"], (facet["name"], value, after)
            clicked += 1
    assert clicked >= 3


def test_counts_are_those_of_counting_one_by_one(client: TestClient) -> None:
    state = {"q": "brightness < 0.5 and width > 10"}
    facets = {f["name"]: f for f in get(client, "/facets", **state)["facets"]}
    workspace: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    snapshot = workspace.snapshot("large")
    chosen = {row["n"] for row in snapshot.images.to_pylist() if row["brightness"] < 0.5}
    images: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for row in snapshot.annotations.to_pylist():
        images["label"][row["label"]].add(row["n"])
        images["annotator"][row["annotator"]].add(row["n"])
    for row in snapshot.tags.to_pylist():
        images["tag"][row["tag"]].add(row["n"])
    for row in snapshot.metadata.to_pylist():
        images[f"metadata:{row['key']}"][row["value"]].add(row["n"])
    checked = 0
    for name, by_value in images.items():
        if name not in facets:
            assert len(by_value) == 1 or len(by_value) > 500
            continue
        counted = {v["value"]: v["count"] for v in facets[name]["values"] if v["value"]}
        expected = {value: len(chosen & of) for value, of in by_value.items() if chosen & of}
        if facets[name]["more"]:
            assert counted.items() <= expected.items()
        else:
            assert counted == expected, name
        checked += len(counted)
    assert checked > 20
    spread = facets["brightness"]["range"]
    assert sum(spread["counts"]) >= len(chosen)
    assert spread["high"] == 0.5


def test_a_choice_among_values_counts_the_others_as_if_it_were_not_made(
    client: TestClient,
) -> None:
    before = {f["name"]: f for f in get(client, "/facets")["facets"]}["metadata:scene"]
    state = {"q": "metadata.scene = 'river'"}
    after = {f["name"]: f for f in get(client, "/facets", **state)["facets"]}["metadata:scene"]
    counts = [{v["value"]: v["count"] for v in facet["values"]} for facet in (before, after)]
    assert counts[0] == counts[1]
    assert [v["value"] for v in after["values"] if v["chosen"] == "in"] == ["river"]


def test_an_annotator_is_told_nothing_of_labels(
    inspected: Callable[[Access], TestClient],
) -> None:
    from cv_pipeline.inspector.access.roles import Role

    annotator = inspected(Access("ann", {"large": Role.ANNOTATOR}, means="session", csrf="c"))
    page = get(annotator, "")
    assert (page["total"], page["items"]) == (0, [])
    assert annotator.get(API, params={"q": "label = 'rare'"}).json()["problem"]
    for path in ("/rows", "/facets"):
        for q in (
            "disagreement > 0",
            "all images order by annotations_count",
            "width > 1 sample 3 by labels_count",
            "not (path = 'x' or annotations(label = 'rare'))",
            "similarity('lot/1.jpg') > 0.9",
            "set_aside = 'secret'",
            "results('latest').correct",
        ):
            bad = {"q": q}
            assert annotator.get(f"{API}{path}", params=bad).status_code == 422
        assert annotator.get(f"{API}{path}", params={"evaluation": "latest"}).status_code == 403
