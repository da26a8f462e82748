"""The real child process, end to end: imports, training, MLflow, prediction."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from cv_pipeline.errors import TrainingError
from cv_pipeline.training import PredictionSpec, run_prediction, run_training, speed_facts
from cv_pipeline.training.__main__ import explain


@pytest.fixture
def tracking(tmp_path, mlflow_database) -> Path:
    """A fresh MLflow database, where the specifications of a world expect it."""
    return Path(shutil.copy(mlflow_database, tmp_path / "mlflow.db"))


def rows(database: Path, query: str, *values: str) -> list[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection:
        return connection.execute(query, values).fetchall()


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_training_then_prediction(make_world, tmp_path, tracking):
    world = make_world()
    spec = world.spec(tmp_path / "model", epochs=2)
    lines: list[str] = []
    report = run_training(spec, log=lines.append)
    assert lines[0] == "starting training: loading torch"
    assert [line for line in lines if line.startswith("epoch 2/2 took")]
    assert not [line for line in lines if "Warning" in line or "INFO" in line]
    run = report.mlflow_run_id
    tags = dict(rows(tracking, "SELECT key, value FROM tags WHERE run_uuid = ?", run))
    assert tags["model_digest"] == report.model_digest
    assert report.peak_memory_bytes > 10**8
    asked = PredictionSpec(
        task="detection",
        model=spec.out,
        model_digest=report.model_digest,
        dataset=world.folder,
        dataset_digest=spec.dataset_digest,
        store_url=world.store_url,
        out=tmp_path / "predictions",
    )
    told = run_prediction(asked, log=lines.append)
    assert told.images == 4
    facts = speed_facts(told)
    assert 0 < facts["latency_p50_ms"] <= facts["latency_p95_ms"] < 10_000
    assert facts["throughput_images_per_s"] > 0
    assert (facts["latency_threads"], facts["latency_input"]) == (1, "48×64")
    assert sorted(p.name for p in asked.out.iterdir()) == [
        "predictions.json",
        "predictions.parquet",
    ]


def test_interrupted_in_the_middle(make_world, tmp_path, tracking):
    """Nothing half-made is left where it could be seen, and MLflow knows that the run is over."""
    spec = make_world("classification").spec(tmp_path / "model", epochs=1000)

    def log(_line: str) -> None:
        if rows(tracking, "SELECT status FROM runs") == [("RUNNING",)]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_training(spec, log=log)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("model")] == []
    assert rows(tracking, "SELECT status FROM runs") == [("KILLED",)]


@pytest.mark.parametrize(
    ("error", "what", "do"),
    [
        (TrainingError("It diverged.", do="Lower it."), r"It diverged\.", r"Lower it\."),
        (MemoryError("no room"), "training process ran out of memory: no room", "batch_size"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried\nmore"),
            "ran out of memory: DefaultCPUAllocator: can't allocate memory: you tried$",
            "batch_size",
        ),
        (RuntimeError("CUDA out of memory. Tried to"), "ran out of memory: CUDA", "batch_size"),
    ],
)
def test_errors_that_a_user_can_do_something_about(error, what, do):
    failure = explain(error, kind="training")
    assert failure is not None
    assert re.search(what, failure.what)
    assert re.search(do, failure.do)


def test_other_errors_keep_their_traceback():
    assert (
        explain(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), kind="training") is None
    )
