"""The grid: all images of a state, in a stable order, with what is drawn over them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from cv_pipeline.inspector.images.marks import outcomes
from cv_pipeline.inspector.workspace import Workspace

API = "/api/v1/p/large/images"


@pytest.fixture(scope="module")
def client(inspected: Callable[..., TestClient]) -> TestClient:
    return inspected()


@pytest.fixture(scope="module")
def workspace(client: TestClient) -> Workspace:
    found: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    return found


def everything(client: TestClient, **state: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    while True:
        asked = state | {"start": len(items), "count": 300}
        found = client.get(f"{API}/rows", params=asked).json()
        items += found["items"]
        if len(items) >= found["total"]:
            return items


def test_stretches_put_together_are_all_images_each_once(client: TestClient) -> None:
    items = everything(client, q="labelled")
    page = client.get(API, params={"q": "labelled"}).json()
    assert page["total"] == len(items) == len({item["id"] for item in items}) > 1000
    assert [item["id"] for item in page["items"]] == [item["id"] for item in items[:72]]
    middle = client.get(API, params={"q": "labelled", "position": 700}).json()
    assert middle["items"][0]["id"] == items[middle["start"]]["id"]


def test_an_evaluation_alone_shows_its_split_worst_first(
    client: TestClient, workspace: Workspace
) -> None:
    made = workspace.evaluated("large").evaluation
    of_split = [row for row in made.per_image.to_pylist() if row["split"] == made.record.split]
    expected = sorted(of_split, key=lambda row: (row["score"], row["image_id"]))
    items = everything(client, evaluation="latest")
    assert [item["id"] for item in items] == [row["image_id"] for row in expected]
    assert [item["score"] for item in items] == [row["score"] for row in expected]


def test_a_class_is_ordered_by_what_is_missed_of_it(
    client: TestClient, workspace: Workspace
) -> None:
    label = "class_2"
    items = everything(client, evaluation="latest", label=label)
    made = workspace.evaluated("large").evaluation
    objects: dict[str, set[str]] = {}
    right: dict[str, int] = {}
    for row in made.matches.to_pylist():
        if row["split"] == made.record.split and row["truth"] == label:
            objects.setdefault(row["image_id"], set()).add(row["annotation_id"])
            right[row["image_id"]] = right.get(row["image_id"], 0) + (row["kind"] == "correct")
    scores = {r["image_id"]: r["score"] for r in made.per_image.to_pylist()}
    expected = sorted(objects, key=lambda i: (-(len(objects[i]) - right[i]), scores[i], i))
    assert [item["id"] for item in items] == expected
    assert len(objects[expected[0]]) > right[expected[0]]


@pytest.mark.parametrize("kind", ["missed", "localisation", "error"])
def test_a_kind_of_error_shows_images_that_have_it(client: TestClient, kind: str) -> None:
    items = everything(client, evaluation="latest", kind=kind)
    counts = [_errors(item, kind) for item in items]
    assert counts
    assert min(counts) > 0
    assert counts == sorted(counts, reverse=True)
    shown = {item["id"] for item in items}
    whole = everything(client, evaluation="latest")
    assert not any(_errors(item, kind) for item in whole if item["id"] not in shown)


def _errors(item: dict[str, Any], kind: str) -> int:
    kinds = [mark["kind"] for mark in item["marks"]]
    return len([k for k in kinds if k != "correct"]) if kind == "error" else kinds.count(kind)


def test_marks_are_the_boxes_of_predictions_and_of_missed_objects(
    client: TestClient, workspace: Workspace
) -> None:
    import pyarrow.parquet as pq

    evaluated = workspace.evaluated("large")
    said = {
        (row["image_id"], row["rank"]): row
        for row in pq.read_table(evaluated.predictions_folder() / "predictions.parquet").to_pylist()
    }
    drawn = {
        row["annotation_id"]: row
        for row in pq.read_table(evaluated.dataset_folder() / "annotations.parquet").to_pylist()
    }
    edges = ("x_min", "y_min", "x_max", "y_max")
    missed = 0
    for item in everything(client, evaluation="latest")[:50]:
        assert item["marks"]
        for mark in item["marks"]:
            row = (
                drawn[mark["annotation_id"]]
                if mark["kind"] == "missed"
                else said[item["id"], mark["rank"]]
            )
            left, top, width, height = mark["box"]
            x0, y0, x1, y1 = (row[edge] for edge in edges)
            size = np.array([item["width"], item["height"]] * 2)
            found = np.array([left, top, left + width, top + height]) * size
            assert found == pytest.approx([x0, y0, x1, y1], abs=0.02)
            assert mark["label"] == row["label"]
            missed += mark["kind"] == "missed"
    assert missed


def test_every_prediction_that_counts_is_there_once(workspace: Workspace) -> None:
    evaluated = workspace.evaluated("large")
    found = outcomes(workspace, evaluated, workspace.snapshot("large"))
    matches = found.evaluated.evaluation.matches
    assert len(found.table) == len(matches)
    assert (np.diff(found.n) >= 0).all()


@pytest.mark.parametrize(
    ("state", "status", "match"),
    [
        ({"q": "nothing = 1"}, 422, "There is no field 'nothing'"),
        ({"evaluation": "00000000"}, 404, "00000000"),
        ({"evaluation": "latest", "label": "class_11"}, 400, "no class 'class_11'"),
        ({"evaluation": "latest", "kind": "odd"}, 400, "no kind of error"),
        ({"kind": "missed"}, 400, "none is given"),
        ({"sort": "odd"}, 400, "no order"),
        ({"model": "00000000", "epoch": 2}, 404, "00000000"),
    ],
)
def test_a_state_that_there_is_not_explains_itself(
    client: TestClient, state: dict[str, Any], status: int, match: str
) -> None:
    answer = client.get(f"{API}/rows", params=state)
    assert answer.status_code == status
    assert match in answer.json()["error"]
    page = client.get(API, params=state)
    assert page.status_code == 200  # the page stands, says why, and lets one change it
    assert match in page.json()["problem"]["what"]
    html = client.get("/p/large/images", params=state, headers={"Accept": "text/html"})
    assert html.status_code == 200
    assert "data-problem " in html.text


def test_script_in_a_query_is_text(client: TestClient) -> None:
    q = "tag = '</script><script>alert(1)</script>'"
    html = client.get("/p/large/images", params={"q": q}, headers={"Accept": "text/html"}).text
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


def test_tags_are_changed_for_a_state_and_for_some_images(
    client: TestClient, workspace: Workspace
) -> None:
    some = [item["id"] for item in everything(client, q="label = 'rare'")]
    tag = "it's <b>"
    path = "/api/v1/p/large/tags"
    answer = client.post(path, json={"q": "label = 'rare'", "tags": [tag]})
    assert answer.json() == {"images": len(some), "changed": len(some)}
    # the next snapshot has them
    workspace._lakes["large"].checked = 0.0
    q = "tag = 'it''s <b>'"
    assert {item["id"] for item in everything(client, q=q)} == set(some)
    answer = client.post(path, json={"images": some, "tags": [tag], "remove": True})
    assert answer.json()["changed"] == len(some)
    for bad in ({"images": ["0" * 64], "tags": ["x"]}, {"q": "tag = 'none'", "tags": ["x"]}):
        assert client.post(path, json=bad).status_code == 422
    assert client.post(path, json={"tags": ["x"], "actor": "eve"}).status_code == 422


def test_a_query_is_saved_under_a_name(client: TestClient, workspace: Workspace) -> None:
    path = "/api/v1/p/large/queries"
    saved = client.post(path, json={"name": "dark_ones", "q": "brightness < 0.1"}).json()
    assert saved["text"] == "brightness < 0.1"
    known = workspace.lake("large").saved("dark_ones")
    assert (known.count, known.actor) == (saved["count"], "ada")
    assert client.post(path, json={"name": "no name", "q": ""}).status_code == 422


def test_where_nothing_is_left_it_says_what_each_condition_has(client: TestClient) -> None:
    state = {"q": "brightness > 2 and label = 'class_1'"}
    found = client.get(f"{API}/conditions", params=state).json()["conditions"]
    alone = client.get(f"{API}/count", params={"q": "label = 'class_1'"}).json()["count"]
    assert [(c["text"], c["count"]) for c in found] == [
        ("brightness > 2", 0),
        ("label = 'class_1'", alone),
    ]


def test_images_that_got_worse_in_an_epoch(client: TestClient, workspace: Workspace) -> None:
    from cv_pipeline.provenance.epochs import images_that_got_worse, training_curve

    model = workspace.evaluated("large").model.version
    reads = {"instance": workspace.instance, "store": workspace.store}
    epochs = training_curve(f"large@{model}", **reads, projects=workspace._projects).epochs
    epoch = epochs[-1]["epoch"]
    worse = images_that_got_worse(f"large@{model}", epoch=epoch, **reads)
    items = everything(client, model=model, epoch=epoch)
    assert [item["id"] for item in items] == [row["image_id"] for row in worse.images]


def test_the_lake_is_asked_as_it_was(client: TestClient, workspace: Workspace) -> None:
    before = datetime.now(UTC).isoformat()
    state = {"q": "label = 'class_5'"}
    client.post("/api/v1/p/large/tags", json=state | {"tags": ["later"]})
    workspace._lakes["large"].checked = 0.0
    q = "tag = 'later'"
    now = client.get(f"{API}/count", params={"q": q}).json()["count"]
    assert now == client.get(f"{API}/count", params=state).json()["count"]
    assert client.get(f"{API}/count", params={"q": q, "as_of": before}).json()["count"] == 0
    found = client.get(f"{API}/facets", params={"as_of": before}).json()
    tags = next(f for f in found["facets"] if f["name"] == "tag")
    assert "later" not in [value["value"] for value in tags["values"]]


def test_a_condition_on_a_metric_means_the_images_of_its_dataset_version(
    client: TestClient, workspace: Workspace
) -> None:
    page = client.get(API, params={"as_of": "AP50 >= 0.01"}).json()
    assert page["problem"] is None
    assert "AP50" in page["moment"]
    assert "dataset(" in page["canonical"]
    inside = client.get(f"{API}/count", params={"q": page["canonical"]}).json()["count"]
    assert page["total"] == inside > 0
    never = client.get(API, params={"as_of": "AP50 >= 1.5"}).json()
    assert "never held" in never["problem"]["what"]
