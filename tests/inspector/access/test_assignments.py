"""An annotator sees the images of their batches and no others; restricted images are logged."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dagster import DagsterInstance
from fastapi.routing import APIRoute

from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.catalog.datalake.image_events import put_tags
from cv_pipeline.catalog.quarantine import Refusal, reconcile_refusals
from cv_pipeline.catalog.tables import one_of
from cv_pipeline.inspector import create_app
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.assignments import assign, visible_images, visible_numbers
from cv_pipeline.inspector.access.image_accesses import ImageAccesses
from cv_pipeline.inspector.access.roles import Permission, Role
from cv_pipeline.inspector.audit import Wanted, verify
from cv_pipeline.inspector.database import open_database
from cv_pipeline.inspector.routes import PERMISSION
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.labeling.exchange.findings import STAGE, field_of, file_of
from cv_pipeline.storage import open_store
from tests.inspector.access.conftest import Inspector
from tests.labeling.label_tables import annotate, push
from tests.tiny_world import copy_tiny_world

P = "tiny"
ANN = Access("ann", {P: Role.ANNOTATOR}, means="session", csrf="proof")
REVIEWER = Access("rev", {P: Role.REVIEWER}, means="session", csrf="proof")


@pytest.fixture(scope="module")
def world(materialized_world, tmp_path_factory):
    """An inspector of the tiny world, in which two batches were set aside."""
    own = copy_tiny_world(materialized_world, tmp_path_factory.mktemp("assigned") / "world")
    file = own.project_file
    file.write_text(file.read_text() + '\naccess:\n  restricted: "brightness > 0.5"\n')
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CV_HOME", "DAGSTER_HOME", "CV_PROJECTS"):
            patch.setenv(name, own.environment[name])
        workspace = Workspace(
            home=own.home,
            projects=own.folder / "projects",
            store=open_store(str(own.home / "store")),
            instance=DagsterInstance.ephemeral(),
            database=open_database(own.home),
        )
        lake = Datalake.open(P, origin="test")
        lake.set_aside(lake.query("order by path limit 5"), "first", purpose="label")
        lake.set_aside(lake.query("order by path desc limit 3"), "last", purpose="relabel")
        app = create_app(workspace, authenticator=lambda c: _WHO[c.headers["x-test"]])
        inspector = Inspector(app, workspace, own.home)
        for name, role in (
            ("ann", Role.ANNOTATOR),
            ("ben", Role.ANNOTATOR),
            ("rev", Role.REVIEWER),
        ):
            inspector.door.accounts.add(name, roles={P: role})
        inspector.door.accounts.add("out")
        yield inspector
        inspector.door.close()
        inspector.log.close()
        workspace.close()


_WHO = {"ann": ANN, "rev": REVIEWER, "ben": Access("ben", {P: Role.ANNOTATOR}, means="session")}


def client(world, name):
    return world.client(x_test=name, x_csrf_token="proof")


@pytest.fixture
def assigned(world):
    """The batch ``first`` is ann's."""
    assign(world.workspace.database, project=P, batch="first", users=["ann"], actor="rev")
    assign(world.workspace.database, project=P, batch="last", users=[], actor="rev")
    return world


def ids(world, batch):
    answer = client(world, "rev").get(f"/api/v1/p/{P}/assigned", params={"batch": batch})
    return {image["image_id"] for image in answer.json()["images"]}


def test_an_annotator_sees_what_is_assigned_to_them(assigned):
    workspace = assigned.workspace
    assert visible_images(ANN, workspace, P) == ids(assigned, "first")
    assert visible_images(_WHO["ben"], workspace, P) == frozenset()
    assert visible_images(REVIEWER, workspace, P) is None
    assert visible_images(Access("", {}), workspace, P) == frozenset()
    numbers = visible_numbers(ANN, workspace, P)
    assert numbers is not None
    assert len(numbers) == 5
    assert (numbers[1:] > numbers[:-1]).all()


def test_what_is_taken_away_is_gone_at_once(assigned):
    database = assigned.workspace.database
    assert assign(database, project=P, batch="first", users=["ben"], actor="rev") == (
        ["ben"],
        ["ann"],
    )
    assert visible_images(ANN, assigned.workspace, P) == frozenset()
    assert len(visible_images(_WHO["ben"], assigned.workspace, P) or ()) == 5
    assert assign(database, project=P, batch="first", users=["ben"], actor="rev") == ([], [])


def test_every_route_of_an_image_knows_whose_it_is(assigned):
    """Generated from the routes: each that an annotator may use at all answers 404 for others'."""
    own, other = min(ids(assigned, "first")), min(ids(assigned, "last"))
    ann = client(assigned, "ann")
    asked = 0
    for route in assigned.app.routes:
        if not isinstance(route, APIRoute) or "{image_id}" not in route.path:
            continue
        if Permission(route.openapi_extra[PERMISSION]) is not Permission.ASSIGNED:
            continue
        for method in route.methods:
            path = re.sub(r"\{(level|x|y)\}", "0", route.path.replace("{project}", P))
            there = ann.request(method, path.replace("{image_id}", own))
            assert there.status_code != 404, (path, there.text)
            for hidden in (other, own[:12], "0" * 64, f"{own}/../{other}"):
                answer = ann.request(method, path.replace("{image_id}", hidden))
                assert answer.status_code in (403, 404), (path, hidden)
                assert len(answer.content) < 2000
            asked += 1
    assert asked >= 5


def test_the_page_lists_own_batches_and_no_others(assigned):
    page = client(assigned, "ann").get(f"/api/v1/p/{P}/assigned").json()
    assert [b["name"] for b in page["batches"]] == ["first"]
    assert (page["total"], page["may_assign"], page["people"]) == (5, False, [])
    assert page["batches"][0]["assignees"] == []
    hidden = client(assigned, "ann").get(f"/api/v1/p/{P}/assigned", params={"batch": "last"})
    assert hidden.status_code == 404
    assert "last" not in hidden.json()["do"]
    html = client(assigned, "ann").get(f"/p/{P}/assigned", headers={"accept": "text/html"}).text
    assert html.count("/thumbnail?size=256") == 5
    beyond = client(assigned, "ann").get(f"/api/v1/p/{P}/assigned", params={"offset": 5}).json()
    assert (beyond["images"], beyond["total"]) == ([], 5)


def test_the_page_says_what_is_left_for_one_and_leads_into_the_tool(assigned):
    file = assigned.workspace.projects_folder / P / "project.yaml"
    before = file.read_text()
    assert "labeling:" not in before
    told = "labeling: {url: 'http://127.0.0.1:9', annotators: {a1: {account: ann}}}"
    file.write_text(f"{before}\n{told}\n")
    catalog = assigned.workspace.lake(P).catalog
    first = sorted(ids(assigned, "first"))
    push(catalog, "first", first, tool_project=7, assignee=["a1", "a1,a2", "a2", "a1", ""])
    annotate(catalog, "first", first[:1], "a1")
    annotate(catalog, "first", first[2:3], "a2")
    url = f"/api/v1/p/{P}/assigned"
    [batch] = client(assigned, "ann").get(url).json()["batches"]
    assert (batch["state"], batch["own"], batch["made"]) == ("in progress", 2, 1)
    assert batch["tool_url"] == "http://127.0.0.1:9/projects/7/data"
    html = client(assigned, "ann").get(f"/p/{P}/assigned", headers={"accept": "text/html"}).text
    assert "2 for you to label" in html
    assert 'href="http://127.0.0.1:9/projects/7/data"' in html
    assert f'href="/p/{P}/guideline"' in html
    view = client(assigned, "ann").get(f"/api/v1/p/{P}/assigned").json()
    assert [task["image_id"] for task in view["tasks"]] == [first[1], first[3], first[4]]
    assert [task["free"] for task in view["tasks"]] == [False, False, True]
    assert view["tasks"][0]["tool_url"] == "http://127.0.0.1:9/projects/7/data?task=7001"
    assert (view["tasks_total"], view["annotator"]) == (3, ["a1"])
    shown = {image["image_id"]: image for image in view["images"]}
    assert [shown[i]["state"] for i in first] == ["labelled", "open", "labelled", "open", "open"]
    assert [image["image_id"] for image in view["images"]][:2] == [first[1], first[3]]
    assert {i for i in first if shown[i]["own"]} == {first[1], first[3]}
    counted = {one["state"]: one["images"] for one in view["states"]}
    assert counted == {"own": 2, "open": 3, "labelled": 2}
    for state, images in counted.items():
        asked = {"state": state}
        assert client(assigned, "ann").get(url, params=asked).json()["total"] == images
    page = client(assigned, "ann").get(f"/p/{P}/assigned", headers={"accept": "text/html"}).text
    assert 'data-next-task href="http://127.0.0.1:9/projects/7/data?task=7001"' in page
    assert "locks none" in page
    assert view["may_assign"] is False
    assert client(assigned, "rev").get(url).json()["tasks"] == []
    [others] = client(assigned, "rev").get(f"/api/v1/p/{P}/assigned").json()["batches"][-1:]
    assert (others["own"], others["made"]) == (0, 0)
    file.write_text(before)


def test_who_is_not_qualified_is_told_so_and_what_to_do(assigned):
    assign(assigned.workspace.database, project=P, batch="first", users=[], actor="rev")
    file = assigned.workspace.projects_folder / P / "project.yaml"
    before = file.read_text()
    url = f"/p/{P}/assigned"
    file.write_text(f"{before}\nlabeling: {{annotators: {{b1: {{account: ben}}}}}}\n")
    ben, page = client(assigned, "ben"), {"accept": "text/html"}
    assert ben.get(f"/api/v1{url}").json()["exam"] is None  # without gold all are qualified
    assert "Nothing is assigned to you yet" in ben.get(url, headers=page).text
    gold = "hand_off: {gold: {query: 'brightness >= 0'}}"
    file.write_text(f"{before}\nlabeling: {{annotators: {{b1: {{account: ben}}}}, {gold}}}\n")
    exam = ben.get(f"/api/v1{url}").json()["exam"]
    assert (exam["images"], exam["least"], exam["at"]) == (0, 10, 0.8)
    told = ben.get(url, headers=page).text
    assert "Nothing is assigned to you yet" not in told
    assert "You are not qualified yet" in told
    assert "examined on 0 of 10 gold images that it takes" in told
    assert "as an exam batch" in told
    # nor where somebody has a batch in which nothing is for them
    assign(assigned.workspace.database, project=P, batch="last", users=["ben"], actor="rev")
    told = ben.get(url, headers=page).text
    assert "Nothing is left for you to label" in told
    assert "You are not qualified for more yet" in told
    file.write_text(before)


def test_an_annotator_is_not_told_what_others_made_of_an_image(assigned):
    catalog = assigned.workspace.lake(P).catalog
    first = sorted(ids(assigned, "first"))
    push(catalog, "first", first, tool_project=7)
    bad = Refusal(file_of(7), field_of(7004), "changed_image", "Of a2, who drew 3 balls.")
    within = one_of("field", [bad.field])
    reconcile_refusals(catalog, stage=STAGE, refusals=[bad], within=within)
    told = {}
    for name in ("ann", "rev"):
        view = client(assigned, name).get(f"/api/v1/p/{P}/assigned?batch=first").json()
        [image] = [one for one in view["images"] if one["image_id"] == first[4]]
        assert image["state"] == "quarantined"
        told[name] = image["why"]
    assert told == {"ann": "", "rev": "Of a2, who drew 3 balls."}


def test_who_may_not_open_a_page_is_told_who_may_and_what_they_can_open(assigned):
    page = {"accept": "text/html"}
    ann = client(assigned, "ann")
    told = ann.get(f"/p/{P}/labeling/batches/first", headers=page)
    assert told.status_code == 403
    assert f"viewers, reviewers, engineers and admins in project {P}; you are an annotator" in (
        told.text
    )
    assert f'href="/p/{P}/assigned?batch=first"' in told.text
    assert f'href="/p/{P}/guideline"' in told.text
    others = ann.get(f"/p/{P}/labeling/batches/last", headers=page).text
    assert f'href="/p/{P}/assigned"' in others
    assert "batch=last" not in others  # of which they are not told whether it is there
    launching = client(assigned, "rev").post(f"/api/v1/p/{P}/labeling/import", json={})
    assert "for engineers and admins" in launching.json()["error"]
    assert "you are a reviewer there" in launching.json()["error"]


def test_a_reviewer_assigns_and_it_stands_in_the_log(assigned):
    rev = client(assigned, "rev")
    path = f"/api/v1/p/{P}/batches/last/assignees"
    assert rev.post(path, json={"users": ["ben", "ann"]}).json()["users"] == ["ann", "ben"]
    assert rev.get(path).json() == {"batch": "last", "users": ["ann", "ben"]}
    line = assigned.log.read(Wanted(action="batch.assign"), limit=1)[0].entry
    assert (line.user, line.target, line.project) == ("rev", "last", P)
    assert line.details == {"given": ["ann", "ben"], "taken": []}


@pytest.mark.parametrize(
    ("batch", "users", "status"),
    [
        ("last", ["out"], 422),  # has no role here
        ("last", ["nobody"], 422),
        ("lost", ["ann"], 404),
    ],
)
def test_what_cannot_be_assigned(assigned, batch, users, status):
    path = f"/api/v1/p/{P}/batches/{batch}/assignees"
    assert client(assigned, "rev").post(path, json={"users": users}).status_code == status
    assert client(assigned, "ann").post(path, json={"users": ["ann"]}).status_code == 403


def restricted(world, but=frozenset()):
    """An image that is restricted, and one that is not; neither is among some others."""
    snapshot = world.workspace.snapshot(P)
    bright = snapshot.images["brightness"].to_numpy() > 0.5
    is_in = dict(zip(snapshot.images["image_id"].to_pylist(), bright, strict=True))
    names = [name for name in is_in if name not in but]
    return next(n for n in names if is_in[n]), next(n for n in names if not is_in[n])


def test_who_sees_a_restricted_image_stands_in_the_log_once_each_way(assigned, monkeypatch):
    monkeypatch.setattr(assigned.door, "image_accesses", ImageAccesses())
    hidden, plain = restricted(assigned)
    rev = client(assigned, "rev")
    before = assigned.log.count(Wanted(action="image.seen"))
    for _ in range(3):
        assert rev.get(f"/p/{P}/images/{hidden}/thumbnail").status_code == 200
        assert rev.get(f"/p/{P}/images/{plain}/thumbnail").status_code == 200
    assert rev.get(f"/p/{P}/images/{hidden}/picture").status_code == 200
    assert assigned.log.count(Wanted(action="image.seen")) - before == 2
    lines = assigned.log.read(Wanted(action="image.seen"), limit=2)
    said = lines[0].entry
    assert (said.user, said.target, said.project, said.address) == ("rev", hidden, P, "testclient")
    assert [line.entry.details["way"] for line in lines] == ["picture", "thumbnail"]
    assert verify(assigned.log).whole


def test_an_image_that_may_not_be_seen_is_not_logged_as_seen(assigned):
    hidden, _ = restricted(assigned, but=ids(assigned, "first"))
    before = assigned.log.count(Wanted(action="image.seen"))
    assert client(assigned, "ann").get(f"/p/{P}/images/{hidden}/thumbnail").status_code == 404
    assert assigned.log.count(Wanted(action="image.seen")) == before


def test_an_image_is_not_shown_when_its_access_cannot_be_written_down(assigned, monkeypatch):
    from cv_pipeline.inspector.audit import AuditLogError

    hidden, _ = restricted(assigned)

    def full(*_, **__):
        raise AuditLogError("The disk is full.")

    monkeypatch.setattr(assigned.door, "image_accesses", ImageAccesses())
    monkeypatch.setattr("cv_pipeline.inspector.audit.audit.AuditLog.append", full)
    answer = client(assigned, "rev").get(f"/p/{P}/images/{hidden}/thumbnail")
    assert answer.status_code == 503
    monkeypatch.undo()
    assert client(assigned, "rev").get(f"/p/{P}/images/{hidden}/thumbnail").status_code == 200


def test_when_the_query_of_restricted_images_fails_every_image_is_one(assigned, monkeypatch):
    from cv_pipeline.errors import QueryError
    from cv_pipeline.inspector.access.image_access import is_restricted

    _, plain = restricted(assigned)
    assert not is_restricted(assigned.workspace, P, plain)

    def fail(*_):
        raise QueryError("There is no batch 'lost'.")

    monkeypatch.setattr(assigned.workspace, "select", fail)
    assert is_restricted(assigned.workspace, P, plain)


def test_the_same_access_is_news_again_after_a_while(monkeypatch):
    from cv_pipeline.inspector.access import image_accesses

    now = 0.0
    monkeypatch.setattr(image_accesses.time, "monotonic", lambda: now)
    seen = ImageAccesses()
    assert seen.is_news(("ada", "image"))
    assert seen.is_news(("eve", "image"))
    now = 599.0
    assert not seen.is_news(("ada", "image"))
    now = 600.0
    assert seen.is_news(("ada", "image"))


def paths(world):
    images = world.workspace.snapshot(P).images
    return dict(zip(images["image_id"].to_pylist(), images["path"].to_pylist(), strict=True))


@pytest.mark.parametrize(
    "text",
    [
        "image = '{path}'",
        "image in ('{id}', '{own}')",
        "(path = '{path}' or path = '{mine}') order by path desc limit 1",
        "(path = '{path}' or path = '{mine}') sample 1 seed 3",
        "all images limit 4",
    ],
)
def test_an_annotator_does_not_find_out_whether_there_is_another_image(assigned, text):
    """What an answer says is the same for an image that is not theirs and for none at all."""
    mine, others = ids(assigned, "first"), ids(assigned, "last")
    path_of = paths(assigned)
    own, other = min(mine), max(others)
    told = []
    for image_id, path in ((other, path_of[other]), ("f" * 64, "999.png")):
        names = {"id": image_id, "path": path, "own": own, "mine": path_of[own]}
        for route in ("images/count", "images/rows", "images/facets", "images/conditions"):
            answer = client(assigned, "ann").get(
                f"/api/v1/p/{P}/{route}", params={"q": text.format(**names)}
            )
            said = answer.json()
            assert answer.status_code == 422 or said["problem"], (route, said)
            told.append((image_id == other, route, answer.text))
    assert {t[1:] for t in told if t[0]} == {t[1:] for t in told if not t[0]}


def test_an_annotator_is_not_shown_what_others_images_can_be_filtered_by(assigned):
    other = max(ids(assigned, "last"))
    catalog = assigned.workspace.lake(P).catalog
    put_tags(catalog, pa.array([other]), ["odd"], present=True, actor="rev")
    for q in ("tag = 'odd'", "not tag = 'odd'", "tag in ('odd', 'even')"):
        url = f"/api/v1/p/{P}/images/facets"
        answer = client(assigned, "ann").get(url, params={"q": q}).json()
        values = [v["value"] for f in answer["facets"] for v in f["values"]]
        assert "odd" not in values, q
        seen = client(assigned, "rev").get(url, params={"q": q}).json()
        assert "odd" in [v["value"] for f in seen["facets"] for v in f["values"]]


@pytest.mark.parametrize("of", ["id", "prefix", "capitals", "path"])
@pytest.mark.parametrize("way", ["page", "pixels", "activation"])
def test_a_restricted_image_is_logged_by_whatever_name_it_is_seen(assigned, monkeypatch, of, way):
    from cv_pipeline.inspector.pages import single_image
    from cv_pipeline.provenance.explained import ActivationPicture

    def explained(model, image, **_):
        return ActivationPicture(P, "m", image, "", "ball", None, None, None, b"png")

    monkeypatch.setattr(single_image, "activation_map", explained)
    monkeypatch.setattr(assigned.door, "image_accesses", ImageAccesses())
    hidden, _ = restricted(assigned)
    name = {"id": hidden, "prefix": hidden[:12], "capitals": hidden[:14].upper()}.get(
        of, paths(assigned)[hidden]
    )
    before = assigned.log.count(Wanted(action="image.seen"))
    path = {"page": "", "pixels": "/pixels", "activation": "/activation?model=latest"}[way]
    answer = client(assigned, "rev").get(
        f"/api/v1/p/{P}/images/{name}{path}"
        if way != "activation"
        else f"/p/{P}/images/{name}{path}"
    )
    assert answer.status_code == 200, answer.text
    assert assigned.log.count(Wanted(action="image.seen")) == before + 1
    said = assigned.log.read(Wanted(action="image.seen"), limit=1)[0].entry
    assert (said.target, said.details["way"]) == (hidden, way)


def test_what_is_shown_of_labels_is_of_those_there_are(assigned, monkeypatch):
    """Where an image stands, and the boxes of its activation map, follow the lake's labels."""
    from cv_pipeline.inspector.pages import single_image
    from cv_pipeline.provenance.explained import ActivationPicture

    explained = []

    def explain(model, image, **_):
        explained.append(image)
        return ActivationPicture(P, "m", image, "", "ball", None, None, None, b"png")

    monkeypatch.setattr(single_image, "activation_map", explain)
    lake = Datalake.open(P, origin="test")
    lake.set_aside(lake.query("labelled = true limit 1"), "labelled-once", purpose="label")
    assigned.workspace.changed()
    rev = client(assigned, "rev")
    url = f"/api/v1/p/{P}/labeling/batches/labelled-once"

    def state():
        [image] = rev.get(url).json()["images"]
        activation = f"/p/{P}/images/{image['image_id']}/activation?model=a"
        assert rev.get(activation).status_code == 200
        return image["state"], len(explained)

    assert (state(), state()) == (("labelled", 1), ("labelled", 1))
    table = lake.catalog.table("annotations")
    kept = table.read()
    [gone] = ids(assigned, "labelled-once")
    table.replace(kept.filter(pc.not_equal(kept["image_id"], gone)))
    assigned.workspace.changed()
    assert state() == ("waiting", 2)
    table.replace(kept)
    assigned.workspace.changed()
