"""The page of the audit log: filtered, turned over, exported and checked."""

from __future__ import annotations

import csv
import io
import json

import pytest

from cv_pipeline.inspector.audit import Entry

PATH = "/api/v1/audit"


@pytest.fixture(scope="module")
def admin(inspected):
    client = inspected()
    log = client.app.state.audit_log
    for i in range(7):
        log.append(Entry("page.test", f"thing-{i}", user="ada", project="large", why="=1+1"))
    return client


def test_it_is_filtered_and_turned_over(admin):
    asked = {"action": "page", "limit": 3}
    seen = []
    before = None
    for _ in range(3):
        page = admin.get(PATH, params=asked | ({"before": before} if before else {})).json()
        assert page["total"] == 7
        seen += [line["target"] for line in page["lines"]]
        before = page["older"]
    assert seen == [f"thing-{i}" for i in reversed(range(7))]
    assert before is None
    assert admin.get(PATH, params={"since": "2999-01-01"}).json()["total"] == 0
    assert admin.get(PATH, params={"action": "page", "until": "2999-01-01"}).json()["total"] == 7
    assert admin.get(PATH, params={"until": "9999-12-31"}).status_code == 200
    assert admin.get(PATH, params={"since": "yesterday"}).status_code == 422


def test_it_is_exported(admin):
    lines = admin.get(f"{PATH}/export", params={"action": "page.test"})
    assert "attachment" in lines.headers["content-disposition"]
    told = [json.loads(line) for line in lines.text.splitlines()]
    assert [line["target"] for line in told] == [f"thing-{i}" for i in range(7)]
    table = admin.get(f"{PATH}/export", params={"action": "page.test", "format": "csv"})
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["target"] for row in rows] == [f"thing-{i}" for i in range(7)]
    assert {row["why"] for row in rows} == {"'=1+1"}
    assert admin.get(f"{PATH}/export", params={"format": "xml"}).status_code == 422


def test_it_is_checked_and_both_are_written_down(admin):
    found = admin.post(f"{PATH}/verify").json()
    assert found["whole"]
    assert found["faults"] == []
    page = admin.get(PATH, params={"action": "audit.verify"}).json()
    assert page["lines"][0]["details"] == {"whole": True, "faults": 0}
