"""Links of an evaluation select what was measured, whatever was labelled or tagged anew since."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dagster import MetadataValue, TableRecord
from starlette.testclient import TestClient

from cv_pipeline.catalog.datalake.references import Moment
from cv_pipeline.catalog.query import parse
from cv_pipeline.inspector import create_app
from cv_pipeline.inspector.board.history import evaluation_history
from cv_pipeline.inspector.board.slices import slices_now
from cv_pipeline.inspector.evaluation_page.selections import Selections
from cv_pipeline.inspector.images import among as named_as_a_whole
from cv_pipeline.inspector.images import asking
from cv_pipeline.inspector.workspace import Workspace
from tests.inspector.conftest import ADMIN

P, API = "/p/large", "/api/v1/p/large"


@pytest.fixture(scope="module")
def changed(
    inspected: Any, inspected_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """The evaluated world after every river was renamed and every label was given anew.

    ``inspected`` comes first, for each puts back the environment that it found.
    """
    assert inspected is not None
    home = shutil.copytree(inspected_home, tmp_path_factory.mktemp("changed") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CV_HOME", str(home))
        patch.setenv("DAGSTER_HOME", str(home / "dagster"))
        patch.setenv("CV_PROJECTS", str(home / "projects"))
        patch.delenv("CV_STORE", raising=False)
        workspace = Workspace.open()
        catalog = workspace.lake("large").catalog
        for table, column in (("image_metadata", "value"), ("annotations", "label")):
            rows = catalog.table(table).read()
            anew = pc.if_else(pc.is_valid(rows[column]), "something else", None)
            place = rows.schema.get_field_index(column)
            catalog.table(table).replace(
                rows.set_column(place, rows.schema.field(place), anew.cast(pa.string()))
            )
        app = create_app(workspace, authenticator=lambda _: ADMIN)
        yield TestClient(app, headers={"x-csrf-token": ADMIN.csrf}, base_url="http://127.0.0.1")
        workspace.close()


@pytest.fixture(scope="module")
def evaluation(changed: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = changed.get(f"{API}/evaluations/latest").json()
    return found


def behind(client: TestClient, address: str) -> dict[str, Any]:
    """What the images page shows at an address."""
    at = urlsplit(address)
    assert at.path == f"{P}/images"
    page = client.get(f"{API}/images", params=parse_qs(at.query)).json()
    assert page["problem"] is None, page["problem"]
    found: dict[str, Any] = page
    return found


def test_slices_and_classes_lead_to_as_many_images_as_they_say(
    changed: TestClient, evaluation: dict[str, Any]
) -> None:
    assert evaluation["slices"]
    assert evaluation["classes"]
    for row in [*evaluation["slices"], *evaluation["classes"]]:
        assert behind(changed, row["href"])["total"] == row["images"] > 0, row


def test_a_finding_and_a_slice_of_the_board_lead_to_what_was_measured(
    changed: TestClient, evaluation: dict[str, Any], inspected: Any
) -> None:
    workspace: Workspace = changed.app.state.workspace  # type: ignore[attr-defined]
    made = workspace.evaluated("large").evaluation
    label = made.record.labels[0]
    links = Selections("large", made)
    finding = behind(changed, links.of("metadata.scene = 'river'", label=label))
    before = behind(inspected(), links.of("metadata.scene = 'river'", label=label))
    assert finding["total"] == before["total"] > 0
    with workspace.log() as log:
        newest = evaluation_history(log, workspace.project("large"))[-1]
    told = {"slice_key": "scene", "slice_value": "river", "value": 0.5, "images": 7}
    table = MetadataValue.table([TableRecord(told)])
    event = replace(newest.event, metadata={**newest.event.metadata, "slices": table})
    [row] = slices_now("large", replace(newest, event=event), metric="AP50", declared={})
    [river] = [r for r in evaluation["slices"] if r["name"] == "scene = river"]
    assert behind(changed, row.href)["total"] == river["images"]


def test_nothing_is_opened_anew_where_nothing_has_changed_since(
    inspected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is open already answers then, at no cost."""
    workspace: Workspace = inspected().app.state.workspace
    now = workspace.snapshot("large")
    query = parse("metadata.scene = 'river'")
    for versions, same in ((now.table_versions, True), ({"image_tags": 0}, False)):
        moment = Moment("then", dict(now.table_versions) | versions)
        monkeypatch.setattr(asking, "resolve_moment", lambda *_, moment=moment: moment)
        ask, words = asking.asker(workspace, "large", f"latest {same}")
        assert words == "then"
        assert (ask(query).snapshot is now) == same


def test_images_that_are_named_as_a_whole_have_no_limit(
    changed: TestClient, evaluation: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    [strip] = [s for s in evaluation["strips"] if s["title"].startswith("Labels")]
    ids = changed.get(f"{API}/images/rows", params={"count": 300}).json()["items"]
    many = pa.array([item["id"] for item in ids] * 2)
    rows = pa.table({"image_id": many, "issue": ["missing_label"] * len(many)})
    monkeypatch.setattr(named_as_a_whole, "label_errors", lambda *_: rows)
    response = changed.get(strip["href"], follow_redirects=False)
    page = behind(changed, response.headers["location"])
    assert (page["total"], page["among"]) == (len(ids), "likely label errors")
    assert [item["id"] for item in page["items"][:5]] == [item["id"] for item in ids[:5]]
    asked = parse_qs(urlsplit(response.headers["location"]).query)
    facets = changed.get(f"{API}/images/facets", params=asked).json()
    kinds = next(f for f in facets["facets"] if f["name"] == "kind")
    for value in kinds["values"]:  # a filter counts what a click on it leads to
        led_to = {**asked, "kind": [value["value"]]}
        count = changed.get(f"{API}/images/count", params=led_to).json()["count"]
        assert count == value["count"]


@pytest.mark.parametrize(
    ("among", "said"),
    [
        ("cell?truth=lemon", "names no images"),
        ("errors?colour=red", "names no images"),
        ("errors?truth=no such class", "no class"),
        ("errors?truth=none&split=nowhere", "was not evaluated"),
        ("epoch?model=f&epoch=two", "names no epoch"),
        ("epoch?epoch=2", "names no epoch"),
    ],
)
def test_images_that_nothing_is_named_by_are_explained(
    changed: TestClient, among: str, said: str
) -> None:
    asked = {"q": "all images", "evaluation": "latest", "among": among}
    page = changed.get(f"{API}/images", params=asked).json()
    assert said in page["problem"]["what"]
    assert page["problem"]["do"]


def test_a_list_that_is_cut_off_says_so_where_it_leads(changed: TestClient) -> None:
    from cv_pipeline.inspector.data.asking import Images

    ids = pa.array([f"{n:064x}" for n in range(400)])
    assert (Images.of(ids).first_of, Images.of(ids[:150]).first_of) == (400, 0)
