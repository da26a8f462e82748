"""Queries that refer to what a whole pipeline recorded: versions, models, metrics."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.tiny_world import TinyWorld


@pytest.fixture
def world(own_world: TinyWorld) -> TinyWorld:
    return own_world


def ask(world: TinyWorld, *arguments: str) -> Any:
    return json.loads(world.run("cvp", "query", "tiny", *arguments, "--all", "--json").stdout)


def test_queries_refer_to_what_was_recorded(world: TinyWorld) -> None:
    [folder] = (world.home / "store" / "projects" / "tiny" / "datasets").iterdir()
    manifest = pq.read_table(folder / "manifest.parquet").to_pydict()
    in_test = [i for i, s in zip(*(manifest[n] for n in ("image_id", "split")), strict=True)
               if s == "test"]  # fmt: skip

    found = ask(world, "dataset('tiny@latest', split = 'test')")
    assert sorted(row["image_id"] for row in found["images"]) == sorted(in_test)
    by_digest = ask(world, f"dataset('{folder.name[:12]}', split = 'test')")
    assert by_digest["digest"] == found["digest"]

    predicted = ask(world, "predictions('tiny@latest', score >= 0) or errors('tiny@latest')")
    assert 0 < predicted["count"] <= len(manifest["image_id"])
    right, wrong = (ask(world, f"results('tiny@latest').correct = {x}") for x in ("true", "false"))
    assert right["count"] + wrong["count"] >= len(in_test)

    world.run("cvp", "tag", "tiny", "metadata.camera = 'left'", "late")
    assert ask(world, "tag = 'late'")["count"] > 0
    then = ask(world, "tag = 'late'", "--when", "AP50 >= 0")
    assert then["count"] == 0
    assert ask(world, "--when", "AP50 >= 0")["count"] == len(manifest["image_id"])
    assert ask(world, "tag = 'late'", "--as-of", "tiny@latest")["count"] == 0

    likeness = "similarity('000.png')"
    nearest = ask(world, f"{likeness} > 0 order by {likeness} desc limit 3")
    assert nearest["images"][0]["path"] == "000.png"
