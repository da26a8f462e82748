from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cv_pipeline.errors import TrainingError
from cv_pipeline.training.registry import ModelRegistry

# MLflow's own, of SQLAlchemy 2.1
pytestmark = pytest.mark.filterwarnings("ignore:.*(noload|deprecated):DeprecationWarning")

RED, BLUE = "a" * 64, "b" * 64


@pytest.fixture(scope="module")
def uri(tmp_path_factory, mlflow_database) -> str:
    return f"sqlite:///{shutil.copy(mlflow_database, tmp_path_factory.mktemp('registry'))}"


@pytest.fixture(scope="module")
def run_id(uri, tmp_path_factory) -> str:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    place = tmp_path_factory.mktemp("artifacts")
    model = tmp_path_factory.mktemp("model")
    (model / "model.json").write_text("{}")
    run = client.create_run(client.create_experiment("squares", artifact_location=place.as_uri()))
    client.log_artifacts(run.info.run_id, str(model), "model")
    return str(run.info.run_id)


def versions(uri: str, project: str) -> list[str]:
    from mlflow import MlflowClient

    found = MlflowClient(tracking_uri=uri).search_model_versions(f"name = '{project}'")
    return sorted(str(v.version) for v in found)


def test_the_alias_moves_and_a_model_is_registered_once(uri, run_id):
    registry = ModelRegistry(uri, "squares")
    assert registry.champion() is None
    first = registry.promote(model=RED, run_id=run_id, tags={"evaluation": "e1"})
    second = registry.promote(model=BLUE, run_id=run_id, tags={"evaluation": "e2"})
    assert (first.version, second.version) == ("1", "2")
    champion = registry.champion()
    assert champion is not None
    assert (champion.model, champion.version) == (BLUE, "2")
    # back to the first: no third version, and the tags of now
    again = registry.promote(model=RED, run_id=run_id, tags={"evaluation": "e3"})
    assert again.version == "1"
    champion = registry.champion()
    assert champion is not None
    assert (champion.model, champion.tags["evaluation"]) == (RED, "e3")
    assert versions(uri, "squares") == ["1", "2"]


def test_what_is_registered_can_be_loaded_from_the_registry(uri, run_id):
    from mlflow import MlflowClient

    ModelRegistry(uri, "loaded").promote(model=RED, run_id=run_id, tags={})
    client = MlflowClient(tracking_uri=uri)
    version = client.get_model_version_by_alias("loaded", "champion")
    place = Path(client.get_model_version_download_uri("loaded", version.version)[7:])
    assert (place / "model.json").read_text() == "{}"


def test_a_promotion_that_was_cut_short_changes_nothing_and_is_made_up_for(
    uri, run_id, monkeypatch
):
    from mlflow import MlflowClient

    registry = ModelRegistry(uri, "cut")
    registry.promote(model=RED, run_id=run_id, tags={})

    def killed(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", killed)
        with pytest.raises(KeyboardInterrupt):
            registry.promote(model=BLUE, run_id=run_id, tags={})
    champion = registry.champion()
    assert champion is not None
    assert champion.model == RED
    assert registry.promote(model=BLUE, run_id=run_id, tags={}).version == "2"
    assert versions(uri, "cut") == ["1", "2"]


def test_a_run_that_mlflow_does_not_know(uri):
    with pytest.raises(TrainingError, match=r"registry in MLflow .* failed: .*no-such-run"):
        ModelRegistry(uri, "squares").promote(model="c" * 64, run_id="no-such-run", tags={})
