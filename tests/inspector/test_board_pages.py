"""The board, an evaluation and what leads from them, on a world that was really evaluated."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from cv_pipeline.errors import DatasetError
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.kept import Kept
from cv_pipeline.inspector.workspace import Workspace

Client = Callable[..., TestClient]
P, API = "/p/large", "/api/v1/p/large"
ID = "0123456789abcdef01234567"


@pytest.fixture(scope="module")
def client(inspected: Client) -> TestClient:
    return inspected()


@pytest.fixture(scope="module")
def workspace(client: TestClient) -> Workspace:
    found: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    return found


@pytest.fixture(scope="module")
def board(client: TestClient) -> dict:
    return client.get(API).json()


@pytest.fixture(scope="module")
def evaluation(client: TestClient) -> dict:
    return client.get(f"{API}/evaluations/latest").json()


def html(client: TestClient, path: str) -> str:
    response = client.get(path, headers={"Accept": "text/html"})
    assert response.status_code == 200, response.text[:2000]
    return response.text


def test_the_newest_evaluation_is_anomalous_on_the_board(client: TestClient, board: dict) -> None:
    [line] = board["main"]["lines"]
    assert len(line["points"]) == board["evaluations"] >= 2
    assert line["points"][-1]["alert"]
    newest = f"{P}/evaluations/{board['newest']}"
    assert line["points"][-1]["href"] == newest
    drop = board["alerts"][0]
    assert (drop["kind"], drop["level"]) == ("metric dropped", "bad")
    assert drop["href"] == f"{newest}#findings"
    text = html(client, P)
    assert f'href="{newest}#findings"' in text
    assert "does not answer" in text  # neither Dagster nor MLflow runs here
    assert {"version", "time"} == {by for by in ("version", "time") if f"?by={by}" in text}


def test_every_alert_leads_somewhere(client: TestClient, board: dict) -> None:
    for alert in board["alerts"]:
        path = alert["href"].partition("#")[0]
        assert client.get(path, headers={"Accept": "text/html"}).status_code == 200, alert


def test_the_time_axis_has_the_same_points(client: TestClient, board: dict) -> None:
    by_time = client.get(f"{API}?by=time").json()["main"]["lines"][0]["points"]
    by_version = board["main"]["lines"][0]["points"]
    assert [p["href"] for p in by_time] == [p["href"] for p in by_version]


def river(evaluation: dict) -> dict:
    """The slice on which every model of this world is worse."""
    return next(row for row in evaluation["slices"] if row["name"] == "scene = river")


def test_a_slice_leads_to_its_images_with_the_predictions(
    client: TestClient, evaluation: dict
) -> None:
    row = river(evaluation)
    assert row["value"] < row["rest"]
    asked = {k: v[0] for k, v in parse_qs(urlsplit(row["href"]).query).items()}
    assert asked["evaluation"] == evaluation["digest"]
    images = client.get(f"{API}/images", params=asked).json()
    assert images["total"] == row["images"] > 0


def test_the_numbers_name_what_they_are_of(client: TestClient, evaluation: dict) -> None:
    steps = {s["what"]: s for s in evaluation["origin"]["steps"]}
    assert set(steps) == {"Dataset version", "Model", "Predictions", "Evaluation"}
    assert steps["Evaluation"]["version"] == evaluation["digest"]
    for step in steps.values():
        assert step["version"]
        if step["href"]:
            assert client.get(step["href"], headers={"Accept": "text/html"}).status_code == 200


def test_an_evaluation_that_was_recorded_again_is_the_newest_again(
    client: TestClient, workspace: Workspace, evaluation: dict, board: dict
) -> None:
    """When the data went back, so did the evaluation: what was recorded last is the newest."""
    before = evaluation["before"]["digest"]
    assert (evaluation["newest"], evaluation["digest"]) == (True, board["newest"])
    assert not client.get(f"{API}/evaluations/{before}").json()["newest"]
    with workspace.log() as log:
        older = log.of_version("large/eval_slices", before)

    class WentBack:
        def __init__(self, log: object) -> None:
            self.log = log

        def latest(self, key: str) -> object:
            return older if key == "large/eval_slices" else self.log.latest(key)  # type: ignore[attr-defined]

        def __getattr__(self, name: str) -> object:
            return getattr(self.log, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workspace, "_index", WentBack(workspace._index))
        assert client.get(f"{API}/evaluations/{before}").json()["newest"]
        assert not client.get(f"{API}/evaluations/{evaluation['digest']}").json()["newest"]


def test_every_cell_of_the_confusion_leads_to_its_images(
    client: TestClient, evaluation: dict
) -> None:
    matrix = evaluation["confusion"]
    cells = [c for _, row in matrix["rows"] for c in row if c["count"]]
    assert sum(c["right"] for c in cells) > 0
    for cell in [c for c in cells if not c["right"]][:3]:
        response = client.get(cell["href"], follow_redirects=False)
        assert response.status_code == 302
        asked = parse_qs(urlsplit(response.headers["location"]).query)
        assert asked["among"][0].startswith("errors?")


def test_an_unknown_kind_of_error_says_which_there_are(client: TestClient) -> None:
    response = client.get(f"{P}/evaluations/latest/errors?kind=missd", follow_redirects=False)
    assert response.status_code in (400, 422)
    assert "missed" in response.json()["do"]


def test_numbers_stand_while_a_folder_they_came_from_is_gone(
    client: TestClient, evaluation: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    monkeypatch.setattr(workspace, "kept", Kept(128))

    def gone(*_: object, **__: object) -> None:
        raise DatasetError("annotations.parquet cannot be read.", do="Restore it.")

    with monkeypatch.context() as patch:
        patch.setattr("cv_pipeline.inspector.shots.rows_of_images", gone)
        without = client.get(f"{API}/evaluations/latest").json()
        assert "annotations.parquet cannot be read" in html(client, f"{P}/evaluations/latest")
    assert without["strips"] == [] != evaluation["strips"]
    for same in ("headline", "classes", "errors", "confusion", "slices"):
        assert without[same] == evaluation[same]
    # and they come back with it
    assert client.get(f"{API}/evaluations/latest").json() == evaluation


def landed(client: TestClient, address: str) -> tuple[int, dict[str, list[str]]]:
    """How many images an address leads to, and what it asks for."""
    response = client.get(address, follow_redirects=False)
    at = response.headers["location"] if response.status_code == 302 else address
    asked = parse_qs(urlsplit(at).query)
    told = client.get(f"{API}/images/count", params=asked).json()
    assert told["problem"] is None, told
    return told["count"], asked


def test_every_cell_of_the_confusion_leads_to_what_it_counts(
    client: TestClient, evaluation: dict
) -> None:
    cells = [c for _, row in evaluation["confusion"]["rows"] for c in row if c["count"]]
    assert any("nothing was called" in c["words"] for c in cells)
    for cell in cells:
        images, _ = landed(client, cell["href"])
        # an image may hold several
        assert min(cell["count"], 1) <= images <= cell["count"], cell
        if cell["count"] == 1:
            assert images == 1


def test_kinds_of_error_and_strips_lead_to_all_their_images(
    client: TestClient, workspace: Workspace, evaluation: dict
) -> None:
    made = workspace.evaluated("large").evaluation
    for kind in evaluation["errors"]:
        having = {
            r["image_id"]
            for r in made.matches.to_pylist()
            if r["split"] == made.record.split and r["kind"] == kind["kind"]
        }
        images, asked = landed(client, kind["href"])
        assert images == len(having)
        assert asked["evaluation"] == [made.digest]  # and not the model's newest
    strips = {s["title"]: s for s in evaluation["strips"]}
    for title in ("Hardest images", "Most confident mistakes"):
        images, asked = landed(client, strips[title]["href"])
        assert images == strips[title]["total"]
        assert asked["evaluation"] == [made.digest]
    hardest = landed(client, strips["Hardest images"]["href"])[1]
    rows = client.get(f"{API}/images/rows", params=hardest | {"count": 12}).json()["items"]
    shown = [s["image_id"] for s in strips["Hardest images"]["shots"]]
    score = {r["image_id"]: r["score"] for r in made.per_image.to_pylist()}
    assert [r["score"] for r in rows] == [score[i] for i in shown]


def test_errors_by_kind_count_what_the_confusion_counts(evaluation: dict) -> None:
    kinds = {e["kind"]: e["count"] for e in evaluation["errors"]}
    assert kinds["missed"] > 0
    assert all(e["href"].startswith(f"{P}/evaluations/") for e in evaluation["errors"])


def test_an_evaluation_that_there_is_not_explains_itself(client: TestClient) -> None:
    response = client.get(f"{P}/evaluations/{'f' * 64}", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert f"No eval_slices has the version &#39;{'f' * 64}&#39;" in response.text
    assert "The latest: " in response.text


def test_the_preview_of_a_selection_counts_what_can_be_learnt_from(
    client: TestClient, evaluation: dict
) -> None:
    query = parse_qs(urlsplit(river(evaluation)["href"]).query)["q"][0]
    found = client.get(f"{API}/corrective", params={"q": query}).json()
    narrow, wide = found["selection"], found["widened"]
    assert narrow["train"] == 0  # all of them are for testing
    assert narrow["held_out"] == narrow["images"]
    assert wide["train"] > 0
    assert wide["train"] + wide["held_out"] + wide["outside"] == wide["images"]
    assert "training.epochs" in {p["key"] for p in found["parameters"]}
    assert {part["part"].split(" at ")[0] for part in found["down"]} >= {"Dagster's webserver"}


def test_a_run_that_cannot_be_launched_says_why(client: TestClient) -> None:
    body = {"query": "metadata.scene = 'river'", "weight": 2}
    response = client.post(f"{API}/corrective", json=body)
    assert response.status_code == 409
    assert "no webserver" in response.json()["error"]
    assert "cvp ui" in response.json()["do"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"query": "label = "}, 422, "label ="),
        ({"query": "label = 'no such thing'"}, 409, "selects no image"),
        ({"query": None}, 409, "changes nothing"),
        ({"changes": {"training.epoch": 3}}, 409, "training.epoch"),
        ({"changes": {"training.epochs": 0}}, 409, "epochs"),
        ({"query": "all images", "weight": 0}, 422, "weight"),
        ({"query": "all images", "actor": "eve"}, 422, "actor"),
        ({"query": "all images", "more": ["../../etc"]}, 422, "more"),
        ({"query": "all images", "label": "no such class"}, 409, "no class"),
        ({"query": "all images", "parent": "0000"}, 404, "0000"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(
    client: TestClient, body: dict, status: int, said: str
) -> None:
    response = client.post(f"{API}/corrective", json=body)
    assert response.status_code == status, response.text
    assert said in response.json()["error"] + response.json()["do"]


def test_more_like_these_are_found_for_the_model_that_is_to_be_bettered(
    client: TestClient,
) -> None:
    asked = {"q": "metadata.scene = 'river' limit 20", "for_training": True, "parent": "0000"}
    response = client.get(f"{API}/more-like", params=asked)
    assert (response.status_code, "0000" in response.json()["error"]) == (404, True)


def test_more_like_a_selection_is_outside_of_it(client: TestClient) -> None:
    asked = {"q": "metadata.scene = 'river' limit 20", "n": 5, "for_training": True}
    response = client.get(f"{API}/more-like", params=asked)
    if response.status_code == 422:  # this world has no descriptors
        assert "image_features" in response.json()["do"]
        return
    images = response.json()["images"]
    assert len({i["image_id"] for i in images}) == len(images) == 5


def test_images_are_set_aside_as_who_is_signed_in(inspected: Client) -> None:
    reviewer = Access("rita", {"large": Role.REVIEWER}, means="session", csrf="proof")
    client = inspected(reviewer)
    body = {"query": "metadata.scene = 'river' limit 3", "purpose": "relabel", "reason": "odd"}
    made = client.post(f"{API}/batches", json=body)
    assert made.status_code == 201, made.text
    listed = {b["name"]: b for b in client.get(f"{API}/batches").json()["batches"]}
    batch = listed[made.json()["name"]]
    assert (batch["actor"], batch["images"], batch["reason"]) == ("rita", 3, "odd")
    assert client.post(f"{API}/corrective", json={"query": "all images"}).status_code == 403


def steps(*made: dict, title: str = "dim river") -> dict:
    return {"title": title, "alert": "a", "steps": list(made)}


def step(path: str, elapsed: float, clicks: int) -> dict:
    return {"address": path, "elapsed_s": elapsed, "clicks": clicks, "machine_s": 0.5}


def test_an_investigation_is_kept_shared_and_measured(inspected: Client) -> None:
    ada, victor = (
        inspected(Access(name, {"large": Role.VIEWER}, means="session", csrf="proof"))
        for name in ("ada", "victor")
    )
    path = f"{API}/investigations/{ID}"
    first = step(P, 0, 1) | {"kind": "alert", "title": "<script>alert(1)</script>"}
    for one in (first, step(f"{P}/evaluations/x", 2, 1), step(f"{P}/images?q=a", 3.5, 2)):
        assert ada.post(f"{path}/steps", json=steps(one)).status_code == 201
    assert victor.post(f"{path}/comments", json={"text": "<i>seen</i>"}).status_code == 201
    shared = victor.get(path).json()
    assert (shared["began_by"], shared["took"]["images_s"], shared["took"]["images_clicks"]) == (
        "ada",
        3.5,
        2,
    )
    assert shared["took"]["images_machine_s"] == 1.5
    assert shared["resume"] == f"{P}/images?q=a"
    assert [c["user"] for c in shared["comments"]] == ["victor"]
    assert victor.patch(path, json={"conclusion": "fog", "closed": True}).status_code == 200
    page = html(ada, f"{P}/investigations/{ID}")
    assert "<script>alert" not in page
    assert "<i>seen" not in page
    listed = ada.get(f"{API}/investigations").json()
    assert [i["conclusion"] for i in listed["investigations"] if i["id"] == ID] == ["fog"]
    assert [i["took"]["images_s"] for i in listed["investigations"] if i["id"] == ID] == [3.5]
    assert listed["measured"] >= 1
    assert listed["images_s"] > 0
    assert "claim" in html(ada, f"{P}/investigations")


@pytest.mark.parametrize(
    "one",
    [
        step("https://evil.example/", 0, 0),
        step("javascript:alert(1)", 0, 0),
        step(P, -1, 0),
        step(P, 0, -1),
        step(P, 0, 0) | {"user": "eve"},
        step(P, 0, 0) | {"kind": "run"},
    ],
)
def test_a_step_that_cannot_be_one_is_refused(client: TestClient, one: dict) -> None:
    made = client.post(f"{API}/investigations/{'9' * 24}/steps", json=steps(one))
    assert made.status_code == 422
    assert client.get(f"{API}/investigations/{'9' * 24}").status_code == 404


def test_an_alert_names_the_open_investigation_of_who_asks(
    client: TestClient, inspected: Client, board: dict
) -> None:
    key = board["alerts"][0]["key"]
    body = steps(step(P, 0, 1) | {"kind": "alert"}, step(f"{P}/images", 7.5, 3)) | {"alert": key}
    name = "5" * 24
    assert client.post(f"{API}/investigations/{name}/steps", json=body).status_code == 201
    first = client.get(API).json()["alerts"][0]
    assert first["investigation"] == {
        "id": name,
        "title": body["title"],
        "elapsed_s": 7.5,
        "clicks": 3,
    }
    bob = inspected(Access("bob", {"large": Role.VIEWER}, means="session", csrf="proof"))
    assert bob.get(API).json()["alerts"][0]["investigation"] is None
    client.patch(f"{API}/investigations/{name}", json={"closed": True})
    assert client.get(API).json()["alerts"][0]["investigation"] is None


@pytest.mark.parametrize("name", ["nothing", "g" * 24, "f" * 24])
def test_an_investigation_that_there_is_not_explains_itself(client: TestClient, name: str) -> None:
    for made in (
        client.get(f"{P}/investigations/{name}", headers={"Accept": "text/html"}),
        client.patch(f"{API}/investigations/{name}", json={"closed": True}),
    ):
        assert made.status_code == 404
        assert "has no investigation" in made.text
    if len(name) != 24 or name[0] == "g":
        made = client.post(f"{API}/investigations/{name}/steps", json=steps(step(P, 0, 1)))
        assert made.status_code == 404


def test_a_step_elsewhere_is_no_link_out_of_the_project(client: TestClient) -> None:
    path = f"{API}/investigations/{'8' * 24}"
    for address in ("/p/other/images", "/p/large.evil"):
        client.post(f"{path}/steps", json=steps(step(address, 0, 1)))
    assert {s["address"] for s in client.get(path).json()["steps"]} == {P}


def test_an_annotator_sees_none_of_it(inspected: Client) -> None:
    client = inspected(Access("anna", {"large": Role.ANNOTATOR}, means="session", csrf="proof"))
    for path in ("", "/evaluations/latest", "/investigations", "/corrective", "/batches"):
        assert client.get(API + path).status_code == 403, path


def test_a_run_of_no_project_of_this_name_is_not_shown(client: TestClient) -> None:
    response = client.get(f"{P}/runs/nobody-knows", headers={"Accept": "text/html"})
    assert response.status_code == 404


def test_the_report_is_one_page_that_runs_nothing(client: TestClient) -> None:
    response = client.get(f"{P}/evaluations/latest/report")
    assert response.status_code == 200, response.text
    assert "sandbox" in response.headers["content-security-policy"]
    assert "<script" not in response.text
    assert "data:image/jpeg;base64," in response.text
