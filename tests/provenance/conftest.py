"""A real Dagster instance and a tiny pipeline that reads its inputs as the real one does."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from cv_pipeline.provenance import EventLog, Inputs


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    quiet = {"telemetry": {"enabled": False}, "python_logs": {"python_log_level": "ERROR"}}
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides=quiet) as made:
        yield made


@pytest.fixture
def log(instance: dg.DagsterInstance) -> EventLog:
    return EventLog(instance)


class World:
    """What the tiny pipeline's source holds, and what to do between two of its steps."""

    def __init__(self) -> None:
        self.content = "first"
        self.between: Callable[[], None] = lambda: None


@pytest.fixture
def world() -> World:
    return World()


def digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


class ModelConfig(dg.Config):
    dataset_version: str | None = None


@pytest.fixture
def materialize(
    instance: dg.DagsterInstance, world: World
) -> Callable[..., dg.ExecuteInProcessResult]:
    """Materialize assets of the tiny pipeline, all or those named."""

    def inputs(context: dg.AssetExecutionContext) -> Inputs:
        return Inputs(instance=context.instance, run=context.run, project="p")

    def result(version: str, read: Inputs | None = None) -> dg.MaterializeResult:
        tags = read.tags() if read else None
        return dg.MaterializeResult(data_version=dg.DataVersion(version), tags=tags)

    @dg.asset(key_prefix="p", code_version="1")
    def dataset_version(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return result(digest("dataset", world.content))

    @dg.asset(key_prefix="p", code_version="1", deps=[dataset_version])
    def trained_model(
        context: dg.AssetExecutionContext, config: ModelConfig
    ) -> dg.MaterializeResult:
        read = inputs(context)
        dataset = read.read("dataset_version", version=config.dataset_version)
        return result(digest("model", dataset.version), read)

    @dg.asset(key_prefix="p", code_version="1", deps=[trained_model])
    def pause(context: dg.AssetExecutionContext) -> None:
        world.between()

    @dg.asset(key_prefix="p", code_version="1", deps=[trained_model, dataset_version, pause])
    def predictions(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        read = inputs(context)
        model = read.read("trained_model")
        dataset = read.read("dataset_version")
        return result(digest("predictions", model.version, dataset.version), read)

    @dg.asset(key_prefix="p", code_version="1", deps=[predictions, dataset_version])
    def eval_slices(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        read = inputs(context)
        made = read.read("predictions")
        read.follow(made, "dataset_version")
        return result(digest("evaluation", made.version), read)

    assets = [dataset_version, trained_model, pause, predictions, eval_slices]

    def run(*names: str, **config: object) -> dg.ExecuteInProcessResult:
        selection = [dg.AssetKey(["p", n]) for n in names] or None
        ops = {f"p__{name}": {"config": value} for name, value in config.items()}
        return dg.materialize(
            assets,
            instance=instance,
            selection=dg.AssetSelection.assets(*selection) if selection else None,
            run_config={"ops": ops} if ops else None,
        )

    return run
