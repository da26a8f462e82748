from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from cv_pipeline.catalog.datalake.image_batches import batch_images
from cv_pipeline.catalog.snapshot import ids_digest
from cv_pipeline.cli import app
from cv_pipeline.errors import QueryError
from tests.catalog.datalake_world import DatalakeWorld, make_datalake_world, write_signatures


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


def test_a_selection_is_set_aside_with_who_when_why_and_what(world: DatalakeWorld) -> None:
    lake = world.open()
    found = lake.query("metadata.scene = 'outdoor'")
    assert lake.set_aside(found, "yard-1", purpose="label", reason="too few of them")
    [batch] = lake.batches()
    assert (batch.name, batch.purpose, batch.state) == ("yard-1", "label", "open")
    assert (batch.images, batch.labelled) == (4, 1)  # image 1 has an annotation already
    assert (batch.actor, batch.reason, batch.query) == ("anna", "too few of them", found.text)
    assert batch.digest == ids_digest(pa.chunked_array([found.image_ids.sort()]))
    assert batch_images(world.catalog, "yard-1").to_pylist() == sorted(found.image_ids.to_pylist())


def test_images_to_be_labelled_again_wait_for_labels_of_since(world: DatalakeWorld) -> None:
    lake = world.open()
    found = lake.query("labelled = true")
    assert lake.set_aside(found, "again", purpose="relabel")
    [batch] = lake.batches()
    assert (batch.images, batch.labelled) == (found.count, 0)
    table = world.catalog.table("annotations")
    rows = table.read(filter=pc.field("image_id") == found.image_ids[0].as_py())
    row = rows.slice(0, 1).to_pylist()[0]
    row |= {"annotation_id": "f" * 32, "updated_at": datetime.now(UTC) + timedelta(seconds=1)}
    table.insert(pa.Table.from_pylist([row], schema=rows.schema), on=["annotation_id"])
    [batch] = world.open().batches()
    assert batch.labelled == 1


def test_the_same_batch_again_changes_nothing(world: DatalakeWorld) -> None:
    lake = world.open()
    found = lake.query("width > 200")
    assert lake.set_aside(found, "wide", purpose="relabel")
    version = world.catalog.table("image_batches").version
    assert not lake.set_aside(lake.query("width > 200"), "wide", purpose="relabel")
    assert world.catalog.table("image_batches").version == version
    with pytest.raises(QueryError, match="'wide' is there already"):
        lake.set_aside(lake.query("width > 300"), "wide", purpose="relabel")
    with pytest.raises(QueryError, match="for another purpose"):
        lake.set_aside(found, "wide", purpose="label")


@pytest.mark.parametrize("name", ["", " a", "a b", "-a", "a/b", "ä", "x" * 64])
def test_names(world: DatalakeWorld, name: str) -> None:
    lake = world.open()
    with pytest.raises(QueryError, match="cannot be the name of a batch"):
        lake.set_aside(lake.query(), name, purpose="label")


def test_nothing_to_set_aside_and_no_such_batch(world: DatalakeWorld) -> None:
    lake = world.open()
    assert lake.batches() == []
    with pytest.raises(QueryError, match="no image to set aside"):
        lake.set_aside(lake.query("width > 9000"), "none", purpose="label")
    lake.set_aside(lake.query(), "all", purpose="label")
    with pytest.raises(QueryError, match=r"has no batch 'al'\. Did you mean 'all'"):
        batch_images(world.catalog, "al")


def test_the_commands(world: DatalakeWorld) -> None:
    assert "No batch" in cvp("batches", "fruit")
    query = "metadata.scene = 'outdoor' and labelled = false"
    told = cvp("set-aside", "fruit", query, "--name", "yard", "--reason", "dark")
    assert told == "3 images set aside to label: yard\n"
    again = json.loads(cvp("set-aside", "fruit", query, "--name", "yard", "--json"))
    assert again == {"name": "yard", "purpose": "label", "images": 3, "new": False}
    [listed] = json.loads(cvp("batches", "fruit", "--json"))
    assert (listed["images"], listed["labelled"], listed["reason"]) == (3, 0, "dark")
    assert "0 of 3" in cvp("batches", "fruit")


def test_more_of_them_by_command(world: DatalakeWorld) -> None:
    write_signatures(world, {0: [1, 0], 1: [1, 0.3], 2: [0, 1]})
    found = json.loads(cvp("more", "fruit", "path = '0.jpg'", "--unlabelled", "--json"))
    [image] = found["images"]
    assert (image["path"], image["like_path"], image["similarity"]) == ("2.jpg", "0.jpg", 0.0)
    assert "1.jpg  like 0.jpg" in cvp("more", "fruit", "path = '0.jpg'", "-n", "1")


def test_images_that_were_set_aside_can_be_asked_for(world: DatalakeWorld) -> None:
    lake = world.open()
    before = lake.query("width >= 0").table_versions
    lake.set_aside(lake.query("width > 200"), "wide", purpose="label")  # 3, 4 and 5
    lake.set_aside(lake.query("path in ('0.jpg', '3.jpg')"), "mixed", purpose="relabel")

    def asked(where: str | None = None, **keywords: Any) -> list[int]:
        return sorted(world.numbers(lake.query(where, **keywords).image_ids))

    assert asked("set_aside = 'wide'") == asked(set_aside="wide") == [3, 4, 5]
    assert asked("not set_aside = 'wide'") == asked(set_aside_none=["wide"]) == [0, 1, 2]
    assert asked("set_aside any ('wide', 'mixed')") == asked(set_aside=["wide", "mixed"])
    assert asked("set_aside all ('wide', 'mixed')") == asked(set_aside_all=["wide", "mixed"]) == [3]
    assert asked("set_aside is set and width < 100") == [0]
    assert asked(set_aside={"set": False}) == [1, 2]
    saved = lake.query("set_aside = 'mixed'").save("mixed")
    world.take_out(3)
    assert asked("set_aside = 'wide'") == [4, 5]
    assert lake.rerun("mixed").digest == saved.digest
    with pytest.raises(QueryError, match=r"set aside as 'wide', as of version 0 of its batches"):
        lake.query("set_aside = 'wide'", as_of=before)


def test_a_batch_that_there_is_none_of_is_no_empty_answer(world: DatalakeWorld) -> None:
    lake = world.open()
    with pytest.raises(QueryError, match=r"aside first: cvp set-aside fruit QUERY --name wide"):
        lake.query("set_aside = 'wide'")
    lake.set_aside(lake.query("width > 200"), "wide", purpose="label")
    for keywords in ({"set_aside": "wyde"}, {"set_aside_none": ["wide", "wyde"]}):
        with pytest.raises(QueryError, match=r"as 'wyde'.*Did you mean 'wide'"):
            lake.query(**keywords)
    with pytest.raises(QueryError, match=r"as 'wyde'"):
        lake.query("width > 0 and (path = '0.jpg' or not set_aside all ('wide', 'wyde'))")
