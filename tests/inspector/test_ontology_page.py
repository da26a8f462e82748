"""The page of classes, versions, guideline and gate, and the guideline that annotators see."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cv_pipeline.catalog.schemas import ANNOTATIONS
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.data.ontology import _MOVED, words_of
from cv_pipeline.inspector.pages import ontology as pages
from cv_pipeline.markdown import rendered
from cv_pipeline.ontology_steps import Step
from tests.catalog.event_lake import rows_of

Client = Callable[..., TestClient]
P, API = "/p/large", "/api/v1/p/large"
ANNOTATOR = Access("ann", {"large": Role.ANNOTATOR}, means="session", csrf="proof")


@pytest.fixture(scope="module")
def client(inspected: Client) -> TestClient:
    return inspected()


@pytest.fixture
def text(inspected_home: Path):
    """Writes the guideline of the project, and takes it away again."""
    path = inspected_home / "projects" / "large" / "guidelines" / "1.md"
    path.parent.mkdir(exist_ok=True)
    yield path.write_text
    path.unlink(missing_ok=True)


def done(client: TestClient) -> dict[str, Any]:
    for _ in range(120):
        answer = client.get(f"{API}/ontology")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        if found["job"]["state"] != "running":
            return found
        time.sleep(0.25)
    raise AssertionError("not done after 30 s")


def page(client: TestClient, path: str) -> str:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text[:2000]
    return answer.text


def test_classes_are_shown_with_their_labels_and_examples(client):
    found = done(client)["found"]
    classes = found["labels"]["classes"]
    assert sum(row["labels"] for row in classes) == found["labels"]["labels"] > 0
    for row in classes:
        assert len(row["examples"]) == min(5, row["images"])
        asked = client.get(f"{API}/images", params={"q": row["query"]}).json()
        assert asked["total"] == row["images"]
    html = page(client, f"{P}/ontology")
    assert f"/images/{classes[0]['examples'][0]}/thumbnail" in html
    (version,) = [v for v in found["versions"] if v["current"]]
    assert len(version["datasets"]) == 3


def test_the_gate_is_looked_at_again_after_an_import_that_made_no_label(client, monkeypatch):
    done(client)
    asked, found = [], pages._found
    monkeypatch.setattr(pages, "_found", lambda *given: asked.append(1) or found(*given))
    done(client)
    assert asked == []
    monkeypatch.setattr(pages, "pulled_and_not_imported", lambda _: 3)
    done(client)
    assert asked == [1]


def test_only_labels_that_became_another_class_came_along_as_one():
    said = [("lens@2x", "lens@2x@1"), ("lens@3x", "lens@2x@1")]
    rows = [
        {"image_id": f"{n}", "label": label, "attributes": json.dumps({"ontology.was": was})}
        for n, (label, was) in enumerate(said)
    ]
    moved = run_sql(_MOVED, relations={"annotations": rows_of(ANNOTATIONS, rows)},
                    parameters={"most": 5}).to_pylist()  # fmt: skip
    assert [(row["was"], row["into"]) for row in moved] == [("lens@2x@1", "lens@3x")]


def test_a_change_is_previewed_with_where_labels_would_go(client, inspected):
    names = [row["name"] for row in done(client)["found"]["labels"]["classes"]]
    renamed = ["renamed", *names[1:]]
    text = f"""
ontology:
  version: "9"
  labels: {renamed}
  original: {{labels: {names}}}
  migrations: [{{from: "1", to: "9", steps: [{{rename: {{{names[0]}: renamed}}}}]}}]
"""
    answer = client.post(f"{API}/ontology/preview", json={"text": text})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    (move,) = found["moves"]
    assert (move["label"], move["into"], move["relabel"]) == (names[0], "renamed", False)
    assert move["labels"] == found["converted"] > 0
    assert 0 < len(move["examples"]) <= 5
    assert (found["version"], found["relabel"], found["relabel_batch"]) == ("9", 0, "")
    assert found["labels"] == found["stays"] + found["converted"]
    for wrong, told in (
        ("a: [", "The changed project.yaml, line 1: not valid YAML"),
        ("name: large", "no section ontology"),
        ("name: other\nontology: {labels: [a]}", "of the project 'other'"),
        ("ontology: {labels: []}", "The changed project.yaml has 1 mistake"),
        ("x: &a [1]\nontology: {labels: *a}", "aliases"),
    ):
        answer = client.post(f"{API}/ontology/preview", json={"text": wrong})
        assert told in answer.json()["error"], answer.text
        assert "/tmp" not in answer.text
    viewer = inspected(Access("vic", {"large": Role.VIEWER}, means="session", csrf="proof"))
    assert viewer.post(f"{API}/ontology/preview", json={"text": text}).status_code == 403
    assert "Preview a change" in page(client, f"{P}/ontology")


def test_what_is_missing_before_volume_work_is_shown(client):
    gate = done(client)["found"]["gate"]
    assert not gate["may_start"]
    missing = {part["part"]: part["missing"] for part in gate["parts"]}
    assert list(missing) == ["schema", "gold", "review", "pilot"]
    assert "There is no text of guideline version" in missing["schema"][0]["what"]
    assert "No guideline yet" in page(client, f"{P}/ontology")


def test_an_annotator_sees_the_guideline_of_the_project_and_nothing_else(inspected, text):
    text("# Boxes\n\nDraw **tight** boxes.")
    annotator = inspected(ANNOTATOR)
    html = page(annotator, f"{P}/guideline")
    assert "<h3>Boxes</h3>" in html
    assert "<strong>tight</strong>" in html
    assert f'href="{P}/guideline"' in html
    assert f'href="{P}/ontology"' not in html
    assert annotator.get(f"{API}/ontology").status_code == 403
    other = inspected(Access("bob", {"other": Role.ANNOTATOR}, means="session", csrf="proof"))
    assert other.get(f"{API}/guideline").status_code == 404


def test_a_text_cannot_do_anything_on_the_page(client, text):
    text(HOSTILE)
    html = page(client, f"{P}/ontology")
    assert "<script>alert" not in html
    assert "onerror" not in html.replace("onerror=&quot;", "").replace("onerror=alert", "")
    told = done(client)["guidelines"][0]
    assert told["text"].startswith("# <script>")


HOSTILE = """\
# <script>alert(1)</script>

<img src=x onerror=alert(1)> <b>bold</b>

[a](javascript:alert(1)) [b](data:text/html,x) [c](https://example.org) [d](vbscript:x)
![picture](https://example.org/x.png)

| a | b |
|---|---|
| <i>1</i> | 2 |
"""


def test_markdown_becomes_only_the_tags_of_markdown():
    html = str(rendered(HOSTILE))
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "javascript" not in html.replace("(javascript:alert(1))", "")
    assert html.count("href=") == 2  # c, and the picture as a link
    assert html.count('rel="noopener noreferrer nofollow"') == 2
    assert "<table>" in html
    assert "<h3>" in html


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"add": ["fig"]}, "add fig"),
        ({"rename": {"a": "b"}}, "rename a to b"),
        (
            {"split": {"label": "a", "by": "ripe", "into": {"yes": "b", "no": "c"}}},
            "split a into b, c by ripe",
        ),
        ({"split": {"label": "a", "into": ["b", "c"]}}, "split a into b, c by labelling again"),
        ({"merge": {"labels": ["a", "b"], "into": "c"}}, "merge a, b into c"),
        ({"delete": {"label": "a", "then": "drop"}}, "delete a and drop its labels"),
        ({"delete": {"label": "a", "then": "relabel"}}, "delete a and label its images again"),
        ({"add_attribute": {"name": "x"}}, "add the attribute x: yes or no"),
        ({"rename_attributes": {"x": "y"}}, "rename attribute x to y"),
        ({"remove_attributes": ["x"]}, "remove the attributes x"),
        ({"add_values": {"x": ["l"]}}, "add values of x: l"),
        ({"rename_values": {"x": {"l": "left"}}}, "rename values of x l to left"),
        ({"remove_values": {"x": ["l", "r"]}}, "remove values of x: l, r"),
    ],
)
def test_every_step_is_said_in_words(step, words):
    assert words_of(Step.model_validate(step)) == words
