from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cv_pipeline.errors import TrainingError
from cv_pipeline.training import initialise_tracking
from cv_pipeline.training.spec import EpochResult
from cv_pipeline.training.tracking import Tracker

# MLflow's own, of SQLAlchemy 2.1
pytestmark = pytest.mark.filterwarnings("ignore:.*(noload|deprecated):DeprecationWarning")

PARAMETERS = {"model": "fcos_resnet18", "augmentation.flip": 0.5, "labels": "x" * 9000}


@pytest.fixture(scope="module")
def database(tmp_path_factory, mlflow_database) -> Path:
    return Path(shutil.copy(mlflow_database, tmp_path_factory.mktemp("mlflow")))


@pytest.fixture
def client(database):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{database}")


@pytest.fixture
def spec(make_world, tmp_path, database):
    plain = make_world().spec(tmp_path / "model")
    return plain.model_copy(update={"tracking_uri": f"sqlite:///{database}"})


def result(epoch: int, validation: float | None) -> EpochResult:
    return EpochResult(
        epoch=epoch,
        train_loss=1 / epoch,
        learning_rate=0.001,
        validation=validation,
        seconds=2.0,
    )


def test_a_run_holds_all_there_is_to_know(spec, client, tmp_path, database):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    with Tracker(spec, parameters=PARAMETERS, metric="AP50") as tracker:
        tracker.epoch(result(1, 0.25))
        tracker.epoch(result(2, None))
        experiment_id, run_id = tracker.finish(model_digest="m" * 64, folder=folder)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert client.get_experiment(experiment_id).name == "squares"
    tags = run.data.tags
    assert tags["dataset_digest"] == "d" * 64
    assert tags["model_digest"] == "m" * 64
    assert (tags["dagster_run_id"], tags["code_version"]) == ("run-1", "1")
    assert run.data.params["augmentation.flip"] == "0.5"
    assert len(run.data.params["labels"]) == 6000
    losses = client.get_metric_history(run_id, "train_loss")
    assert [(m.step, m.value) for m in losses] == [(1, 1.0), (2, 0.5)]
    assert [m.step for m in client.get_metric_history(run_id, "val_AP50")] == [1]
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("squares", "d" * 36)
    assert [f.path for f in client.list_artifacts(run_id, "model")] == ["model/model.json"]
    assert (database.parent / "artifacts" / "squares").is_dir()


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (SystemExit, "KILLED")])
def test_a_run_that_gives_up_says_so(spec, client, error, status):
    with pytest.raises(error), Tracker(spec, parameters={}, metric="AP50"):
        raise error
    newest = client.search_runs(
        [client.get_experiment_by_name("squares").experiment_id],
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    assert newest[0].info.status == status


def test_runs_of_dead_processes_are_closed(spec, client, tmp_path):
    with Tracker(spec, parameters={}, metric="AP50") as tracker:
        _, dead = tracker.finish(model_digest="m", folder=tmp_path)
    client.update_run(dead, status="RUNNING")
    client.set_tag(dead, "process", "4194305")  # beyond the largest process id of Linux
    with Tracker(spec, parameters={}, metric="AP50") as tracker:
        tracker.finish(model_digest="m", folder=tmp_path)
    assert client.get_run(dead).info.status == "KILLED"


def test_what_goes_wrong_in_mlflow_is_raised_in_the_training(spec):
    broken = spec.model_copy(update={"tracking_uri": "nonsense://nowhere"})
    with (
        pytest.raises(TrainingError, match=r"in MLflow at nonsense://nowhere.*cvp init"),
        Tracker(broken, parameters={}, metric="AP50") as tracker,
    ):
        tracker.finish(model_digest="m", folder=Path())


def test_initialising_again_changes_nothing(database):
    before = database.read_bytes()
    initialise_tracking(f"sqlite:///{database}")
    assert database.read_bytes() == before


def test_other_stores_look_after_themselves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    initialise_tracking("http://127.0.0.1:9")
    assert not list(tmp_path.iterdir())
