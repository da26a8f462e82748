"""Training runs in MLflow: parameters, metrics by epoch, the dataset, the hardware, the model.

A thread of its own talks to MLflow, so that neither importing it (3 s) nor its database delays the
training; what goes wrong there is raised in the training at the end of the epoch.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cv_pipeline.errors import TrainingError
from cv_pipeline.training.spec import EpochResult, TrainingSpec, Value

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

Status = Literal["FINISHED", "FAILED", "KILLED"]

_MLFLOW_DIGEST_LENGTH = 36
_PROCESS_TAG, _HOST_TAG = "process", "host"
_LONGEST_VALUE = 6000
_SYSTEM_METRICS_SECONDS = 5
_CLOSE_SECONDS = 5.0
_SQLITE = "sqlite:///"


def initialise_tracking(tracking_uri: str) -> None:
    """Make or upgrade MLflow's tables, once, under a lock; doing it again is harmless.

    Two processes that meet a fresh SQLite file at once would damage it for good. Other tracking
    stores than SQLite look after themselves and are left alone.

    Args:
        tracking_uri: MLflow's tracking store.
    """
    if not tracking_uri.startswith(_SQLITE):
        return
    from filelock import FileLock

    database = Path(tracking_uri.removeprefix(_SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock"):
        from mlflow.store.db import utils

        _quiet()
        engine = utils.create_sqlalchemy_engine_with_retry(tracking_uri)
        try:
            if utils._is_empty_database(engine):
                utils._initialize_tables(engine)
            else:
                utils._upgrade_db(engine)
        finally:
            engine.dispose()


class Tracker:
    """One MLflow run of one training, written by a thread of its own.

    Args:
        spec: the training.
        parameters: what is logged as parameters, flattened.
        metric: name of the validation metric.
    """

    def __init__(self, spec: TrainingSpec, *, parameters: Mapping[str, Value], metric: str) -> None:
        self._spec = spec
        self._metric = metric
        self._uri = spec.tracking_uri
        self._parameters = parameters
        self._ids: Future[tuple[str, str]] = Future()
        self._error: Exception | None = None
        self._work: queue.SimpleQueue[Callable[[_Run], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="mlflow", daemon=True)
        self._thread.start()

    def epoch(self, result: EpochResult) -> None:
        """Log an epoch.

        Raises:
            TrainingError: MLflow has failed since the last call.
        """
        self.check()
        self._work.put(lambda run: run.log_epoch(result, self._metric))

    def check(self) -> None:
        """Raise the error of MLflow as a TrainingError, if there was one."""
        if self._error is not None:
            raise TrainingError(
                f"The training cannot be recorded in MLflow at {self._uri}:"
                f" {type(self._error).__name__}: {self._error}.",
                do="Run: cvp init. If that does not help, look at MLFLOW_TRACKING_URI.",
            ) from self._error

    def finish(self, *, model_digest: str, folder: Path) -> tuple[str, str]:
        """Log the model folder, close the run and return the ids of experiment and run.

        Raises:
            TrainingError: MLflow failed.
        """
        self._work.put(lambda run: run.log_model(model_digest, folder))
        self._close("FINISHED")
        self._thread.join()
        self.check()
        return self._ids.result()

    def __enter__(self) -> Tracker:
        """The run is being opened already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the run of a training that gave up, if that is soon done."""
        if kind is not None and self._thread.is_alive():
            self._close("FAILED" if issubclass(kind, Exception) else "KILLED")
            self._thread.join(_CLOSE_SECONDS)

    def _close(self, status: Status) -> None:
        self._work.put(lambda run: run.close(status))
        self._work.put(None)

    def _serve(self) -> None:
        try:
            run = _Run(self._spec, self._parameters)
            self._ids.set_result((run.experiment_id, run.run_id))
            while (task := self._work.get()) is not None:
                task(run)
        except Exception as error:  # raised again in the training's thread by check()
            self._error = error


class _Run:
    """An open MLflow run with its system metrics."""

    def __init__(self, spec: TrainingSpec, parameters: Mapping[str, Value]) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Param
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        _quiet()
        self._client = MlflowClient(tracking_uri=spec.tracking_uri)
        self.experiment_id = _experiment(self._client, spec)
        _close_dead_runs(self._client, self.experiment_id)
        tags = {
            **spec.tags,
            "project": spec.project,
            "dataset_digest": spec.dataset_digest,
            "code_version": spec.code_version,
            "mlflow.user": spec.tags.get("user", "cv_pipeline"),
            _HOST_TAG: platform.node(),
            _PROCESS_TAG: str(os.getpid()),
        }
        name = f"{spec.training.model} {spec.dataset_digest[:8]} seed {spec.seed}"
        run = self._client.create_run(self.experiment_id, run_name=name, tags=tags)
        self.run_id: str = run.info.run_id
        params = [Param(k, str(v)[:_LONGEST_VALUE]) for k, v in parameters.items()]
        self._client.log_batch(self.run_id, params=params)
        self._log_dataset(spec)
        self._monitor: SystemMetricsMonitor = SystemMetricsMonitor(
            self.run_id, sampling_interval=_SYSTEM_METRICS_SECONDS, tracking_uri=spec.tracking_uri
        )
        self._monitor.start()

    def log_epoch(self, result: EpochResult, metric: str) -> None:
        from mlflow.entities import Metric

        values = {
            "train_loss": result.train_loss,
            "learning_rate": result.learning_rate,
            "epoch_seconds": result.seconds,
        }
        if result.validation is not None:
            values[f"val_{metric}"] = result.validation
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, result.epoch) for name, value in values.items()]
        self._client.log_batch(self.run_id, metrics=metrics)

    def log_model(self, digest: str, folder: Path) -> None:
        self._client.set_tag(self.run_id, "model_digest", digest)
        self._client.log_artifacts(self.run_id, str(folder), "model")

    def close(self, status: Status) -> None:
        self._monitor.finish()
        self._client.set_terminated(self.run_id, status)

    def _log_dataset(self, spec: TrainingSpec) -> None:
        """Log the dataset version as input; the whole digest is in the tag ``dataset_digest``."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = f"{spec.store_url}/projects/{spec.project}/datasets/{spec.dataset_digest}"
        dataset = Dataset(
            name=spec.project,
            digest=spec.dataset_digest[:_MLFLOW_DIGEST_LENGTH],
            source_type="cv_pipeline",
            source=json.dumps({"uri": source}),
        )
        context = InputTag("mlflow.data.context", "training")
        self._client.log_inputs(self.run_id, [DatasetInput(dataset, [context])])


def _experiment(client: MlflowClient, spec: TrainingSpec) -> str:
    """Id of the project's experiment, made on first use; its artifacts lie beside the database."""
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(spec.project)
    if known is not None:
        return str(known.experiment_id)
    location = None
    if spec.tracking_uri.startswith(_SQLITE):
        database = Path(spec.tracking_uri.removeprefix(_SQLITE)).absolute()
        location = (database.parent / "artifacts" / spec.project).as_uri()
    try:
        return str(client.create_experiment(spec.project, artifact_location=location))
    except MlflowException:  # another training has just made it
        known = client.get_experiment_by_name(spec.project)
        if known is None:
            raise
        return str(known.experiment_id)


def _close_dead_runs(client: MlflowClient, experiment_id: str) -> None:
    """Mark as killed the runs of processes of this machine that are no more (``kill -9``)."""
    import psutil

    running = client.search_runs(
        [experiment_id],
        f"attributes.status = 'RUNNING' and tags.{_HOST_TAG} = '{platform.node()}'",
    )
    for run in running:
        if not psutil.pid_exists(int(run.data.tags[_PROCESS_TAG])):
            client.set_terminated(run.info.run_id, "KILLED")


def _quiet() -> None:
    """Silence what MLflow and its migrations print about work that succeeds.

    Call it after importing MLflow, which sets up its own logging.
    """
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
