"""The whole pipeline, by the commands that a user types, on a tiny world."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from PIL import Image

from cv_pipeline.provenance import EventLog
from tests.tiny_world import TinyWorld, copy_tiny_world, make_tiny_world, write_image

ASSETS = (
    "raw_images",
    "image_features",
    "annotation_exports",
    "dataset_candidate",
    "dataset_version",
    "trained_model",
    "predictions",
    "eval_slices",
    "error_analysis",
    "champion",
)


@contextmanager
def event_log(world: TinyWorld) -> Iterator[EventLog]:
    with dg.DagsterInstance.from_config(str(world.home / "dagster")) as instance:
        yield EventLog(instance)


def digests(world: TinyWorld) -> dict[str, str]:
    with event_log(world) as log:
        found = {a: log.latest(f"tiny/{a}") for a in ASSETS}
    assert None not in found.values()
    return {a: e.version for a, e in found.items() if e is not None}


@pytest.fixture(scope="module")
def world(materialized_world: TinyWorld, tmp_path_factory: pytest.TempPathFactory) -> TinyWorld:
    return copy_tiny_world(materialized_world, tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="module")
def first(world: TinyWorld) -> dict[str, str]:
    return digests(world)


def test_every_asset_has_a_content_hash_and_names_what_it_read(world, first):
    with event_log(world) as log:
        for asset in ASSETS:
            event = log.latest(f"tiny/{asset}")
            assert event is not None
            assert len(event.version) == 64
            assert event.metadata["digest"] == event.version
            for parent in event.inputs:
                made = log.event(parent.key, parent.storage_id)
                assert made is not None
                assert made.version == parent.version
        model = log.latest("tiny/trained_model")
        assert model is not None
        assert model.metadata["dataset"] == first["dataset_version"]
        assert {"seed", "epochs", "parameters", "hardware", "mlflow_run_id"} <= set(model.metadata)


def test_the_four_traces(world, first):
    model = json.loads(world.run("cvp", "trace", "model", "tiny@latest", "--json").stdout)
    assert model["node"]["version"] == first["trained_model"]
    assert model["up"][0]["node"]["version"] == first["dataset_version"]
    assert model["down"][0]["node"]["version"] == first["predictions"]
    dataset = json.loads(
        world.run("cvp", "trace", "dataset", first["dataset_version"][:12], "--json").stdout
    )
    assert dataset["node"]["kind"] == "dataset"
    image = world.images / "003.png"
    traced = json.loads(world.run("cvp", "trace", "image", str(image), "--json").stdout)
    assert traced["node"]["key"] == "003.png"
    labels = traced["down"][0]["node"]["metadata"]["labels"]
    assert sorted(x["label"] for x in labels) == ["blue", "red"]
    metric = json.loads(world.run("cvp", "trace", "metric", "tiny/AP50@latest", "--json").stdout)
    assert metric["node"]["kind"] == "metric"
    assert metric["up"][0]["node"]["version"] == first["eval_slices"]
    readable = world.run("cvp", "trace", "image", "003.png").stdout
    assert "made from" in readable
    assert "1 blue, 1 red" in readable


def test_a_second_run_gives_the_same_digests_without_training_again(world, first):
    printed = world.materialize()
    assert digests(world) == first
    assert "of an identical training" in printed
    with event_log(world) as log:
        event = log.latest("tiny/trained_model")
        assert event is not None
        assert event.metadata["reused"]


def test_a_world_elsewhere_gives_the_same_dataset_digest(first, tmp_path):
    """Another state folder: the digest is of the content alone."""
    other = make_tiny_world(tmp_path)
    other.materialize('+key:"tiny/dataset_version"')
    with event_log(other) as log:
        event = log.latest("tiny/dataset_version")
    assert event is not None
    assert event.version == first["dataset_version"]


def test_summary_and_its_json_twin(world, first):
    text = world.run("cvp", "summary", "tiny").stdout
    for wanted in ("raw_images", "leakage", "AP50 by slice", "where to look next"):
        assert wanted in text
    found = json.loads(world.run("cvp", "summary", "tiny", "--json").stdout)
    assert found["stages"]["trained_model"]["version"] == first["trained_model"]


def test_cvp_run_tells_what_it_made(world, first):
    done = world.run("cvp", "run", "tiny", "--select", "eval_slices", "--json")
    outcome = json.loads(done.stdout)
    assert outcome["status"] == "SUCCESS"
    assert outcome["versions"] == {"tiny/eval_slices": first["eval_slices"]}


def test_an_image_that_nobody_labelled_changes_the_images_and_not_the_dataset(own_world, first):
    """What the digest does not cover, such as table versions, may change under one digest."""
    world = own_world
    write_image(world.images / "unlabelled.png", seed=(7, 7))
    world.materialize()
    now = digests(world)
    assert now["raw_images"] != first["raw_images"]
    assert now["dataset_version"] == first["dataset_version"]
    assert now["trained_model"] == first["trained_model"]


def test_predictions_alone_stay_with_the_dataset_of_their_model(own_world, first):
    """A newer dataset may have training images of the model in its test split."""
    world = own_world
    path = world.project_file
    path.write_text(path.read_text().replace("split: {ratios", "split: {seed: 5, ratios"))
    world.materialize('+key:"tiny/dataset_version"')
    world.materialize('key:"tiny/predictions"')
    with event_log(world) as log:
        dataset, made = log.latest("tiny/dataset_version"), log.latest("tiny/predictions")
    assert dataset is not None
    assert made is not None
    assert dataset.version != first["dataset_version"]
    assert made.metadata["dataset"] == first["dataset_version"]


def test_the_gate_refuses_and_says_why(tmp_path: Path):
    """A re-encoded copy of a training image in the official test split is leakage."""
    world = make_tiny_world(tmp_path)
    Image.open(world.images / "000.png").save(world.images / "copy.jpg", quality=90)
    rows = [f"{line}," for line in world.metadata.read_text().splitlines()]
    rows[0] = rows[0] + "split"
    rows[1] = rows[1] + "train"
    rows.append("copy.jpg,2025-05-03T10:00:00Z,left,morning,test")
    world.metadata.write_text("\n".join(rows) + "\n")
    with world.annotations.open("a") as file:
        file.write("copy.jpg,red,anna,5,5,15,15\n")
    failed = world.run(
        *("dagster", "asset", "materialize", "-m", "cv_pipeline.definitions"),
        *("--select", '+key:"tiny/trained_model"'),
        check=False,
    )
    assert failed.returncode == 1
    alone = world.run("cvp", "run", "tiny", "--select", "dataset_version", check=False)
    assert alone.returncode == 1
    assert "The gate refused tiny/dataset_candidate" in alone.stdout + alone.stderr
    assert "leakage: " in alone.stdout + alone.stderr
    with event_log(world) as log:
        assert log.latest("tiny/dataset_candidate") is not None
        assert log.latest("tiny/dataset_version") is None
