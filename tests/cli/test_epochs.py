"""`cvp epochs` on a model whose record says that it got worse in its second epoch."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import cv_pipeline
from cv_pipeline.cli import app
from cv_pipeline.errors import ProvenanceError, TrainingError
from tests.tiny_world import TinyWorld, copy_tiny_world
from tests.training.test_epoch_results import write_training


@pytest.fixture(scope="module")
def world(materialized_world: TinyWorld, tmp_path_factory: pytest.TempPathFactory) -> TinyWorld:
    """The tiny world, where the model's validation images a, b and c have a history."""
    world = copy_tiny_world(materialized_world, tmp_path_factory.mktemp("epochs"))
    [model] = (world.home / "store" / "projects" / "tiny" / "models").iterdir()
    write_training(model)
    results = pq.read_table(model / "epoch_results.parquet")
    [dataset] = (world.home / "store" / "projects" / "tiny" / "datasets").iterdir()
    ids = sorted(pq.read_table(dataset / "manifest.parquet")["image_id"].to_pylist())
    names = [ids["abc".index(n)] for n in results["image_id"].to_pylist()]
    (model / "epoch_results.parquet").unlink()
    pq.write_table(
        results.set_column(1, results.schema.field(1), [names]), model / "epoch_results.parquet"
    )
    return world


@pytest.fixture(autouse=True)
def _there(world: TinyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in world.environment.items():
        if name.startswith(("CV_", "DAGSTER_")):
            monkeypatch.setenv(name, value)


def cvp(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_curve_marks_the_drop_and_says_what_to_type_next(world: TinyWorld) -> None:
    told = cvp("epochs", "tiny")
    assert "fell 37.5% from epoch 1 (0.667, the last)" in " ".join(told.split())
    found = json.loads(cvp("epochs", "tiny", "latest", "--json"))
    assert [e["epoch"] for e in found["epochs"]] == [1, 2, 3]
    assert [(d["epoch"], d["reference_epoch"]) for d in found["drops"]] == [(2, 1), (3, 1)]
    assert found["metric"] == "AP50"
    assert f"cvp epochs tiny {found['model'][:16]} --epoch 2 --against 1" in told
    assert cv_pipeline.training_curve("tiny@latest").to_json() == {
        **found,
        "epochs": tuple(found["epochs"]),
        "drops": tuple(found["drops"]),
    }


def test_an_epoch_leads_to_its_images_with_their_labels(world: TinyWorld) -> None:
    found = json.loads(cvp("epochs", "tiny", "--epoch", "2", "--json"))
    [image] = found["images"]
    assert (found["epoch"], found["against"], image["change"]) == (2, 1, -1.0)
    assert sorted(label["label"] for label in image["labels"]) == ["blue", "red"]
    told = cvp("epochs", "tiny", "--epoch", "2")
    assert "1 validation images got worse from epoch 1 to 2" in told
    assert "1 blue, 1 red" in told
    assert image["path"] in told
    same = cv_pipeline.images_that_got_worse("tiny@latest", epoch=2)
    assert [i["image_id"] for i in same.images] == [image["image_id"]]


def test_what_is_not_there_is_said(world: TinyWorld) -> None:
    with pytest.raises(TrainingError, match="Name one of 1 to 3"):
        cvp("epochs", "tiny", "--epoch", "9")
    with pytest.raises(TrainingError, match="Add --epoch"):
        cvp("epochs", "tiny", "--against", "2")
    with pytest.raises(ProvenanceError, match="No trained_model has the version"):
        cvp("epochs", "tiny", "0123456789abcdef")


def test_the_check_names_the_epoch_and_the_images(world: TinyWorld) -> None:
    import dagster as dg

    from cv_pipeline.provenance import EventLog, results_on

    printed = world.materialize('key:"tiny/trained_model"')
    assert "AP50 fell 37.5% at epoch 2, from 0.667 at epoch 1 to 0.417" in printed
    with dg.DagsterInstance.from_config(str(world.home / "dagster")) as instance:
        model = EventLog(instance).latest("tiny/trained_model")
        assert model is not None
        [found] = results_on(instance, model, ["validation_drop"])
        assert "curve" in model.metadata
    assert (found.verdict.passed, found.verdict.blocks) == (False, False)
