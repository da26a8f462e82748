"""`cvp slices` on a world that was run."""

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cv_pipeline.cli import app
from cv_pipeline.cli.app import console
from cv_pipeline.cli.slices import _pair, _quoted, _refuse_without_query
from cv_pipeline.errors import EvaluationError
from cv_pipeline.provenance.slice_images import slice_query
from tests.tiny_world import TinyWorld


@pytest.fixture
def world(own_world: TinyWorld, monkeypatch: pytest.MonkeyPatch) -> TinyWorld:
    text = own_world.project_file.read_text()
    queries = "\n  slice_queries:\n    at left: metadata.camera = 'left' or tag = 'no such tag'"
    queries += "\n    one: width > 5 limit 1"
    own_world.project_file.write_text(
        text.replace("\n  slices: [camera]", f"\n  slices: [camera]{queries}")
    )
    for name, value in own_world.environment.items():
        if name.startswith(("CV_", "DAGSTER_")):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(console, "width", 200)
    return own_world


def cvp(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def slices(*arguments: str) -> Any:
    return json.loads(cvp("slices", "tiny", *arguments, "--json").stdout)


def test_any_slice_leads_to_its_images_and_to_the_query_that_selects_them(world: TinyWorld):
    both = [
        slices("--slice", f"camera={side}", "--images", "-n", "100")["slices"][0]
        for side in ("left", "right")
    ]
    for side, one in zip(("left", "right"), both, strict=True):
        # odd images are of the left camera
        numbers = [int(i["path"].removesuffix(".png")) for i in one["images"]]
        assert numbers
        assert {n % 2 for n in numbers} == {int(side == "left")}
        assert [i["missed"] for i in one["images"]] == sorted(
            (i["missed"] for i in one["images"]), reverse=True
        )
        assert one["objects"] == sum(i["objects"] for i in one["images"])
        assert one["query"].endswith(f"and metadata.camera = '{side}'")
        again = json.loads(cvp("query", "tiny", one["query"], "--all", "--json").stdout)
        assert {i["image_id"] for i in again["images"]} == {i["image_id"] for i in one["images"]}
    assert both[0]["value"] == both[1]["rest"]
    of_class = slices("--slice", "camera=left", "--label", "red", "--images")["slices"][0]
    assert of_class["objects"] == of_class["images_count"] == len(of_class["images"])
    declared = slices("--slice", "at left=yes", "--images", "-n", "100")["slices"][0]
    assert declared["images"] == both[0]["images"]
    assert slices("--slice", "at left")["slices"][0]["query"] == declared["query"]
    others = slices("--slice", "at left=no", "--images", "-n", "100")["slices"][0]
    assert others["images"] == both[1]["images"]
    pair = slices("--slice", "at left=no", "--slice", "camera=right", "--images", "-n", "100")
    assert pair["slices"][0]["images"] == both[1]["images"]
    text = cvp("slices", "tiny", "--slice", "camera=left", "--images", "-n", "1").stdout
    assert "all classes in images with camera = left" in text
    assert both[0]["images"][0]["path"] in text
    assert ("more: -n shows more" in text) == (both[0]["images_count"] > 1)


def test_what_was_found_or_that_nothing_was(world: TinyWorld):
    found = slices()
    assert found["split"] == "test"
    assert found["slices"] == []  # their images were not asked for
    assert "worst slices of test" in cvp("slices", "tiny").stdout
    assert {row["label"] for row in slices("--label", "red")["worst_slices"]} <= {"red"}
    bright = cvp("slices", "tiny", "--slice", "brightness=9 or more")
    assert "no object on these images" in bright.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--slice", "camera"], "'camera' is no slice"),
        (["--slice", "at right"], "'at right' is no slice.*Did you mean 'at left'"),
        (["--slice", "at left=maybe"], "'maybe' is none of its values.*at left=no for all other"),
        (["--slice", "at left="], "'' is none of its values"),
        (["--slice", "one"], "The query of 'one' draws some of its images"),
        (["--slice", "99"], "There is no slice 99"),
        (["--slice", "1", "--slice", "camera=left"], "'camera=left' stands beside the number"),
        (["--slice", "²"], "'²' is no slice"),
        (["--slice", "camera=left", "--label", "rad"], r"no class 'rad'.*"),
        (["--label", "rad"], "no class 'rad'"),
        (["--slice", "camera=lift"], "No image has camera = 'lift'"),
        (["--slice", "camara=left"], "'camara' is no metadata key, image property or declared"),
        (["--slice", "brightness=dim"], "brightness is a number, and 'dim' is none"),
    ],
)
def test_what_is_no_slice(world: TinyWorld, arguments: list[str], message: str):
    with pytest.raises(EvaluationError, match=message):
        cvp("slices", "tiny", *arguments)


def test_a_query_is_printed_so_that_a_shell_takes_it_as_it_is():
    text = """metadata.note = '$(echo no) `echo no` \\ "x"'"""
    told = subprocess.run(
        ["sh", "-c", f"printf %s {_quoted(text)}"], capture_output=True, text=True, check=True
    ).stdout
    assert told == text
    assert _quoted("metadata.camera = 'left'") == "\"metadata.camera = 'left'\""


def test_a_slice_that_no_query_selects_says_so():
    _refuse_without_query([{"rank": 1, "query": "width > 5", "images": 12}])
    with pytest.raises(EvaluationError, match="Slice 2 has no query: only the ids of its 1,200"):
        _refuse_without_query([{"rank": 2, "query": None, "images": 1200}])


def test_a_declared_query_is_written_as_its_name():
    declared = {"at left": "metadata.camera = 'left'", "a=b": "width > 5"}
    assert _pair("at left", declared) == _pair("at left=yes", declared) == ("at left", "yes")
    assert _pair("a=b", declared) == ("a=b", "yes")
    assert _pair("a=b=no", declared) == ("a=b", "no")
    assert _pair("camera=", declared) == ("camera", None)
    record = SimpleNamespace(dataset="d" * 64, split="test")
    made: Any = SimpleNamespace(record=record)
    query = slice_query(made, {"at left": "no", "camera": "x"}, declared=declared)
    asked = "not (metadata.camera = 'left') and metadata.camera = 'x'"
    assert query == f"dataset('{'d' * 16}', split = 'test') and {asked}"
