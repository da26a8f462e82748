"""`cvp query`, `cvp queries` and `cvp tag` on a lake of six images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cv_pipeline.cli import app
from cv_pipeline.errors import ProjectError, QueryError
from tests.catalog.datalake_world import DatalakeWorld, make_datalake_world

LITERAL = "tags_count = 0 and metadata.scene = 'outdoor' and date_range = '2025-Q4'"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatalakeWorld:
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    monkeypatch.setenv("CV_ACTOR", "anna")
    return make_datalake_world(tmp_path)


def cvp(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def cvp_json(*arguments: str) -> Any:
    return json.loads(cvp(*arguments, "--json"))


def test_the_literal_query(world: DatalakeWorld) -> None:
    found = cvp_json("query", "fruit", LITERAL)
    assert found["count"] == 1
    assert found["images"] == [{"image_id": world.ids[0], "path": "0.jpg"}]
    same = world.open().query(tags_count=0, metadata={"scene": "outdoor"}, date_range="2025-Q4")
    for name in ("digest", "sql", "parameters", "text", "table_versions"):
        assert found[name] == getattr(same, name)
    assert found["seconds"] > 0
    assert "conditions" not in found


def test_text_names_images_whole_and_says_how_many_more_there_are(world: DatalakeWorld) -> None:
    told = cvp("query", "fruit", "width >= 100", "--limit", "2")
    assert "5 of 6 images" in told
    shown = [i for i in world.ids if i in told]
    assert len(shown) == 2
    assert "and 3 more" in told
    assert "more;" not in cvp("query", "fruit", "width >= 100", "--all")
    assert "SELECT" not in told
    assert "SELECT images.n" in cvp("query", "fruit", "width >= 100", "--sql")


def test_json_prints_as_many_images_as_asked_for(world: DatalakeWorld) -> None:
    assert len(cvp_json("query", "fruit", "--limit", "2")["images"]) == 2
    assert len(cvp_json("query", "fruit", "--limit", "2", "--all")["images"]) == 6


@pytest.mark.parametrize("text", [[], ["all images"], ["width >= 0"]])
def test_a_query_that_selects_everything_says_so(world: DatalakeWorld, text: list[str]) -> None:
    assert "All 6 images" in cvp("query", "fruit", *text)


def test_an_empty_result_says_which_condition_is_to_blame(world: DatalakeWorld) -> None:
    told = cvp("query", "fruit", "width > 300 and tag = 'absent'")
    assert "No image." in told
    lines = {line.split("  ")[-2 if "←" in line else -1]: line for line in told.splitlines()}
    assert "no image meets this one" in lines["tag = 'absent'"]
    assert "no image meets" not in lines["width > 300"]
    found = cvp_json("query", "fruit", "width > 300 and tag = 'absent'")
    assert found["count"] == 0
    assert found["images"] == []
    hint = "No image has the tag 'absent'."
    assert found["conditions"][1] == {"text": "tag = 'absent'", "count": 0, "hint": hint}
    apart = cvp("query", "fruit", "width > 300 and width < 200")
    assert "no image meets all of them" in apart


def test_a_lake_without_images(world: DatalakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CV_STORE", str(world.folder / "empty"))
    assert "There are no images yet" in cvp("query", "fruit")


def test_saved_queries_and_the_log(world: DatalakeWorld) -> None:
    assert "No query was saved" in cvp("queries", "fruit")
    first = cvp_json("query", "fruit", "tag = 'hard'", "--save", "hard")
    cvp("tag", "fruit", "width = 0", "hard")
    assert cvp_json("query", "fruit", "--saved", "hard")["count"] == 2
    for which in ("hard", first["query_id"]):
        assert cvp_json("query", "fruit", "--rerun", which)["digest"] == first["digest"]
    both = cvp_json("query", "fruit", "--rerun", "hard", "--today")
    assert (both["then"]["count"], both["today"]["count"]) == (1, 2)
    assert both["added"] == [world.ids[0]]
    assert both["removed"] == []
    for shown, options in (
        (True, []),
        (False, ["--limit", "0"]),
        (True, ["--limit", "0", "--all"]),
    ):
        printed = cvp("query", "fruit", "--rerun", "hard", "--today", *options)
        assert (f"+ {world.ids[0]}" in printed) is shown
    [saved] = cvp_json("queries", "fruit")
    assert (saved["name"], saved["text"], saved["actor"]) == ("hard", "tag = 'hard'", "anna")
    assert "tag = 'hard'" in cvp("queries", "fruit")
    log = cvp_json("queries", "fruit", "--log", "--limit", "3")
    assert len(log) == 3
    assert {row["origin"] for row in log} == {"cli"}
    assert cvp_json("queries", "fruit", "--forget", "hard") == []


def test_tags_are_put_on_and_taken_off(world: DatalakeWorld) -> None:
    done = cvp_json("tag", "fruit", "width > 100", "hard", "new")
    assert (done["images"], done["changed"]) == (4, 7)
    assert "0 tags put on" in cvp("tag", "fruit", "width > 100", "hard", "new")
    done = cvp_json("tag", "fruit", "tag = 'new'", "new", "--remove")
    assert (done["images"], done["changed"], done["removed"]) == (4, 4, True)
    assert "No image" in cvp("tag", "fruit", "width > 9999", "x")


def test_as_of_a_time(world: DatalakeWorld) -> None:
    assert cvp_json("query", "fruit", "--as-of", "2001-01-01")["count"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["width > 1", "--saved", "x"], "Give one"),
        (["--today"], "Add --rerun"),
        (["--rerun", "x", "--today", "--save", "y"], "Leave --save"),
        (["--rerun", "x", "--as-of", "2025-01-01"], "Leave out"),
        (["--rerun", "x"], "no saved query 'x'"),
        (["widht > 1"], "no field 'widht'"),
        (["date_range = '2025-Q5'"], "2025-Q5"),
        (["width > 1", "--save", "no name"], "is no name"),
    ],
)
def test_mistakes_say_what_to_do(world: DatalakeWorld, arguments: list[str], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        cvp("query", "fruit", *arguments)


def test_an_unknown_project(world: DatalakeWorld) -> None:
    with pytest.raises(ProjectError, match=r"no project 'friut'.*'fruit'"):
        cvp("query", "friut", "width > 1")
