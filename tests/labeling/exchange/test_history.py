"""The history of annotations: each state once, and the last one the same for everybody who asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange.counted import counted_annotations
from cv_pipeline.labeling.exchange.findings import quarantine_annotations
from cv_pipeline.labeling.exchange.history import History, current_annotations
from cv_pipeline.storage import open_store
from tests.labeling.label_tables import image_ids

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
IMAGE = image_ids(1)[0]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(open_store(str(tmp_path / "store")), "fruit")


def told(annotation: int, *, who: int | None = 7, minute: int = 0, **more: Any) -> dict[str, Any]:
    """An annotation as the tool has it."""
    at = (START + timedelta(minutes=minute)).isoformat()
    return {
        "id": annotation, "completed_by": who, "updated_by": who, "created_at": START.isoformat(),
        "updated_at": at, "lead_time": 3.0, "was_cancelled": False, "result": [], **more,
    }  # fmt: skip


def see(
    history: History, task: int, *annotations: dict[str, Any]
) -> tuple[int, int, list[tuple[int, object, str]]]:
    news = history.news([(task, IMAGE, START, annotations)])
    return *history.write(news), news.bad


def test_what_one_pull_sees_and_then_finds_gone_is_gone(catalog: Catalog) -> None:
    # of so many, the order of the digests would bring half of them back
    history = History(catalog, 1, "one")
    for task in range(8):
        assert see(history, task, told(100 + task))[:2] == (1, 0)
    assert history.drop_tasks(range(8)) == 8
    assert current_annotations(catalog)["deleted"].to_pylist() == [True] * 8
    assert not len(counted_annotations(catalog))
    assert history.live == 0


def test_each_state_is_written_once_and_one_that_comes_back_once_more(catalog: Catalog) -> None:
    red, blue = [{"value": "red"}], [{"value": "blue"}]
    for states, result in ((1, red), (0, red), (1, blue), (1, red), (0, red)):
        assert see(History(catalog, 1, "one"), 5, told(9, result=result))[0] == states
    assert see(History(catalog, 1, "one"), 5)[:2] == (1, 1)
    assert see(History(catalog, 1, "one"), 5, told(9, result=red))[:2] == (1, 0)
    (row,) = current_annotations(catalog).to_pylist()
    assert (row["deleted"], row["result"]) == (False, '[{"value":"red"}]')
    assert see(History(catalog, 1, "one"), 5)[:2] == (1, 1)
    assert len(catalog.table("tool_annotations").read()) == 6


def test_a_clock_that_is_set_back_makes_no_state_older(catalog: Catalog) -> None:
    ahead = History(catalog, 1, "one")
    ahead._seen_at = datetime.now(UTC) + timedelta(days=1)
    see(ahead, 5, told(9, result=["first"]))
    see(History(catalog, 1, "one"), 5, told(9, result=["second"]))
    assert current_annotations(catalog)["result"].to_pylist() == ['["second"]']


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"id": "9"}, "Expected an id, found '9'"),
        ({"id": True}, "Expected an id, found True"),
        ({"created_at": None}, "Expected the times"),
        ({"updated_at": "yesterday"}, "Expected the times"),
        ({"result": None}, "Expected a list of regions, found None"),
        ({"result": "{}"}, "Expected a list of regions, found '{}'"),
        ({"result": [float("nan")]}, "cannot be stored"),
        ({"result": ["\ud800"]}, "cannot be stored"),  # half a character
    ],
)
def test_what_cannot_be_understood_is_told_and_takes_nothing_away(
    catalog: Catalog, wrong: dict[str, Any], reason: str
) -> None:
    see(History(catalog, 1, "one"), 5, told(9), told(10))
    states, deletions, bad = see(History(catalog, 1, "one"), 5, {**told(9), **wrong}, told(10))
    # of one without an id nobody knows which it was
    assert (states, deletions) == ((0, 0) if "id" not in wrong else (1, 1))
    ((task, _, said),) = bad
    assert task == 5
    assert reason in said


def test_who_wrote_for_somebody_else_whose_version_was_never_seen_is_unproven(
    catalog: Catalog,
) -> None:
    later = told(9, who=7, minute=5, updated_by=1)
    at_once = told(10, who=7, updated_by=1)
    see(History(catalog, 1, "one"), 5, later)
    see(History(catalog, 1, "one"), 6, at_once)
    assert quarantine_annotations(catalog) == {"forged_annotator": 1, "unproven_annotator": 1}
    see(History(catalog, 1, "one"), 5, told(9, who=7, minute=6))
    assert quarantine_annotations(catalog) == {"forged_annotator": 1}
