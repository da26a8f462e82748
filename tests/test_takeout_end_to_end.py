"""An image is taken out of a project that was run, which is then run again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from cv_pipeline.provenance import EventLog, Materialization
from cv_pipeline.storage import Blobs, ObjectStore, open_store
from tests.tiny_world import TinyWorld


@contextmanager
def event_log(world: TinyWorld) -> Iterator[EventLog]:
    with dg.DagsterInstance.from_config(str(world.home / "dagster")) as instance:
        yield EventLog(instance)


def newest(world: TinyWorld, asset: str) -> Materialization:
    with event_log(world) as log:
        event = log.latest(f"tiny/{asset}")
    assert event is not None
    return event


def ids(world: TinyWorld, dataset: str, split: str | None = None) -> set[str]:
    path = world.home / "store" / "projects" / "tiny" / "datasets" / dataset / "manifest.parquet"
    filters = [("split", "=", split)] if split else None
    return set(pq.read_table(path, columns=["image_id"], filters=filters)["image_id"].to_pylist())


def cvp_json(world: TinyWorld, *arguments: str) -> Any:
    return json.loads(world.run("cvp", *arguments, "--json").stdout)


@pytest.fixture
def store(own_world: TinyWorld) -> ObjectStore:
    return open_store(str(own_world.home / "store"))


def test_taken_out_of_everything_that_comes_later(own_world: TinyWorld, store: ObjectStore):
    world = own_world
    dataset, model = newest(world, "dataset_version"), newest(world, "trained_model")
    trained, tested = (sorted(ids(world, dataset.version, s))[0] for s in ("train", "test"))
    raw = newest(world, "raw_images").metadata
    pictured = raw["pictured"]
    assert store.exists("/".join(raw["picture"].split("/")[-4:]))
    assert "data:image" not in str(raw)  # nothing could remove it from there

    done = cvp_json(
        world, "takeout", trained, tested, pictured[0], "--reason", "consent withdrawn", "--yes"
    )
    gone = {trained, tested, pictured[0]}
    assert {image["image_id"] for image in done["images"]} == gone
    kinds = {use["kind"] for use in done["images"][0]["used_by"]}
    assert kinds == {
        "dataset", "model", "predictions", "evaluation", "error analysis", "champion",
    }  # fmt: skip
    assert done["models_marked"] == 1
    assert done["pictures_removed"]
    assert done["in_use"] == []
    assert not any(Blobs(store).exists(image_id) for image_id in gone)
    marked = cvp_json(world, "trace", "model", model.version)["node"]["metadata"]["taken_out"]
    assert trained in marked

    # the earlier version keeps its rows; another training on it leaves the images out and says so
    world.materialize(
        'key:"tiny/trained_model" or key:"tiny/predictions" or key:"tiny/eval_slices"',
        config_json=json.dumps(
            {"ops": {"tiny__trained_model": {"config": {"dataset_version": dataset.version}}}}
        ),
    )
    again = newest(world, "trained_model")
    assert again.metadata["dataset"] == dataset.version
    assert again.version != model.version
    left_out = ids(world, dataset.version, "train") | ids(world, dataset.version, "val")
    assert set(again.metadata["left_out"]) == gone & left_out
    assert again.metadata["taken_out"] == len(gone & left_out)
    # the held-out images, and the sample of the training images, which is all of so few
    assert newest(world, "predictions").metadata["taken_out"] == len(gone)
    assert any("were taken out" in note for note in newest(world, "eval_slices").metadata["notes"])

    # the next run keeps them out, although the source still has them
    world.materialize('+key:"tiny/dataset_version"')
    later = newest(world, "dataset_version")
    assert ids(world, later.version) == ids(world, dataset.version) - gone
    assert newest(world, "raw_images").metadata["quarantined"] == len(gone)
    assert not any(Blobs(store).exists(image_id) for image_id in gone)
    assert cvp_json(world, "takeout", *gone, "--yes")["models_marked"] == 0
