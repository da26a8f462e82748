"""A corrective run of the tiny world, by the command that a user types."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pyarrow.parquet as pq
import pytest

from assets.trained_model import _result
from cv_pipeline.project import Training
from cv_pipeline.provenance import EventLog, Materialization, results_on
from cv_pipeline.training.model_folder import EPOCHS, EPOCHS_FILE
from tests.tiny_world import TinyWorld, copy_tiny_world, write_image

NEW = [f"new-{n}.png" for n in range(6)]
QUERY = "metadata.camera = 'left'"


@contextmanager
def event_log(world: TinyWorld) -> Iterator[EventLog]:
    with dg.DagsterInstance.from_config(str(world.home / "dagster")) as instance:
        yield EventLog(instance)


def latest(world: TinyWorld, asset: str) -> Materialization:
    with event_log(world) as log:
        event = log.latest(f"tiny/{asset}")
    assert event is not None
    return event


def manifest(world: TinyWorld, dataset: str) -> dict[str, str]:
    """Path to split."""
    rows = pq.read_table(
        world.home / "store" / "projects" / "tiny" / "datasets" / dataset / "manifest.parquet"
    )
    return dict(zip(rows["path"].to_pylist(), rows["split"].to_pylist(), strict=True))


@pytest.fixture(scope="module")
def world(materialized_world: TinyWorld, tmp_path_factory: pytest.TempPathFactory) -> TinyWorld:
    """The tiny world, in which six more images were labelled since its run."""
    world = copy_tiny_world(materialized_world, tmp_path_factory.mktemp("corrective"))
    labels, metadata = "", ""
    for n, name in enumerate(NEW):
        for label, x, y, w, h in write_image(world.images / name, seed=(5, n)):
            labels += f"{name},{label},anna,{x},{y},{x + w},{y + h}\n"
        metadata += f"{name},2025-06-03T10:00:00Z,left,morning\n"
    with world.annotations.open("a") as file:
        file.write(labels)
    with world.metadata.open("a") as file:
        file.write(metadata)
    return world


@pytest.fixture(scope="module")
def parent(world: TinyWorld) -> Materialization:
    return latest(world, "trained_model")


@pytest.fixture(scope="module")
def done(world: TinyWorld, parent: Materialization) -> dict[str, Any]:
    """What `cvp corrective` said."""
    command = ["cvp", "corrective", "tiny", "--query", QUERY, "--weight", "2", "--label", "red"]
    command += ["--set", "training.learning_rate=2e-3", "--reason", "left is weak", "--json"]
    out: dict[str, Any] = json.loads(world.run(*command).stdout)
    return out


def test_the_record_is_what_was_said_and_what_was_done(
    world: TinyWorld, parent: Materialization, done: dict[str, Any]
) -> None:
    record = done["record"]
    assert (record["parent"], record["reason"]) == (parent.version, "left is weak")
    assert record["selection"]["query"] == QUERY
    assert record["selection"]["images"] == 20  # when it was declared
    assert record["changes"] == {"learning_rate": {"before": 0.001, "after": 0.002}}
    model = latest(world, "trained_model")
    assert model.version == done["model"] != parent.version
    assert model.metadata["corrective"] == record["digest"]
    assert model.metadata["parent_model"] == {
        "key": parent.key,
        "storage_id": parent.storage_id,
        "version": parent.version,
    }
    assert model.metadata["seed"] == parent.metadata["seed"]
    assert latest(world, "dataset_candidate").metadata["corrective"] == record["digest"]
    with event_log(world) as log:
        run = log.instance.get_run_by_id(done["run_id"])
    assert run is not None
    assert run.job_name == "tiny_corrective"


def test_images_labelled_since_enter_and_the_old_ones_keep_their_split(
    world: TinyWorld, parent: Materialization, done: dict[str, Any]
) -> None:
    before = manifest(world, str(parent.metadata["dataset"]))
    after = manifest(world, latest(world, "dataset_version").version)
    assert set(after) - set(before) == set(NEW)
    assert {path: after[path] for path in before} == before


def test_the_selection_is_drawn_twice(world: TinyWorld, done: dict[str, Any]) -> None:
    folder = world.home / "store" / "projects" / "tiny"
    drawn = pq.read_table(folder / "models" / done["model"] / "augmentations.parquet")
    counts = Counter(drawn["image_id"].to_pylist())
    splits = manifest(world, latest(world, "dataset_version").version)
    left = [p for p in splits if p in NEW or int(p[:3]) % 2]
    trained_left = [p for p in left if splits[p] == "train"]
    assert Counter(counts.values())[2] == len(trained_left)
    assert len(counts) == sum(split == "train" for split in splits.values())
    model = latest(world, "trained_model")
    assert model.metadata["emphasised"]["images"] == done["emphasised"] == len(trained_left)


def test_it_is_compared_with_its_parent_on_the_same_images(
    world: TinyWorld, parent: Materialization, done: dict[str, Any]
) -> None:
    found = done["comparison"]
    splits = manifest(world, latest(world, "dataset_version").version)
    assert (found["parent"], found["model"]) == (parent.version, done["model"])
    assert found["images"] == sum(split == "test" for split in splits.values())
    left = [p for p, s in splits.items() if s == "test" and (p in NEW or int(p[:3]) % 2)]
    assert found["selection"]["objects"] == len(left)  # one red square each
    assert found["selection"]["label"] == "red"
    assert set(found["before"]) == set(found["after"])
    with event_log(world) as log:
        evaluation = log.latest("tiny/eval_slices")
        assert evaluation is not None
        [check] = results_on(log.instance, evaluation, ["corrective"])
    assert "Recall of red on the selection" in check.verdict.summary
    assert found["after"]["AP50"] == evaluation.metadata["AP50"]


def test_a_later_run_on_the_same_data_does_not_undo_it(
    world: TinyWorld, done: dict[str, Any]
) -> None:
    world.materialize('key:"tiny/trained_model"')
    again = latest(world, "trained_model")
    assert again.version == done["model"]
    assert (again.metadata["reused"], again.run_id == done["run_id"]) == (True, False)
    assert again.metadata["kept_from"]["version"] == done["model"]
    assert again.metadata["kept_from"]["storage_id"] < again.storage_id


def test_without_a_webserver_no_run_is_handed_over(
    world: TinyWorld, parent: Materialization
) -> None:
    command = ["cvp", "corrective", "tiny", "--set", "training.epochs=2", "--no-wait"]
    failed = world.run(*command, "--dagster-ui", "http://127.0.0.1:9", check=False)
    assert failed.returncode == 1
    assert "no webserver at http://127.0.0.1:9 took it" in failed.stderr
    assert "Start it with: cvp ui, or leave out --no-wait" in " ".join(failed.stderr.split())


def test_a_reused_correction_is_of_the_parameters_that_the_project_has_now(tmp_path: Path) -> None:
    """Or the next run would take the project's change, made before, for the end of it."""
    pq.write_table(EPOCHS.empty_table(), tmp_path / EPOCHS_FILE)
    own = Training(model="fcos_resnet18", input_size=(48, 64), epochs=9)
    step: Any = SimpleNamespace(
        project=SimpleNamespace(training=own),
        fetch=lambda *_, **__: tmp_path,
        result=lambda _, metadata: metadata,
    )
    remembered = {"corrective": "c" * 64, "project_training": {"epochs": 3}}
    said: Any = _result(step, "m" * 64, remembered)
    assert said["project_training"] == own.model_dump(mode="json")
    assert "project_training" not in cast("Any", _result(step, "m" * 64, {}))
