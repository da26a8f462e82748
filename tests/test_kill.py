"""SIGKILL at any point, then the same command: the same digests, nothing half made."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psutil
import pytest

from cv_pipeline.provenance import EventLog
from tests.tiny_world import ROOT, TinyWorld, make_tiny_world

COMMAND = ["dagster", "asset", "materialize", "-m", "cv_pipeline.definitions", "--select"]
WAIT_SECONDS = 120.0
TRAINING_SECONDS = 6.0


def newest(world: TinyWorld, asset: str) -> str:
    with dg.DagsterInstance.from_config(str(world.home / "dagster")) as instance:
        event = EventLog(instance).latest(f"tiny/{asset}")
    assert event is not None
    return event.version


def kill_when(
    world: TinyWorld, select: str, ready: Callable[[psutil.Process], bool]
) -> list[psutil.Process]:
    """Start a run, wait until something has happened, and kill it; returns its children."""
    process = psutil.Popen(
        [str(Path(sys.executable).with_name(COMMAND[0])), *COMMAND[1:], select],
        env=world.environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while not ready(process):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    children = process.children(recursive=True)
    process.kill()
    process.wait()
    return children


def is_training(run: psutil.Process) -> bool:
    """Whether the run's training process has had time to load torch and to begin."""
    for child in run.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "cv_pipeline.training" in child.cmdline():
                return bool(child.cpu_times().user > TRAINING_SECONDS)
    return False


@pytest.fixture
def undisturbed(materialized_world: TinyWorld) -> dict[str, str]:
    assets = ("raw_images", "dataset_version", "trained_model")
    return {a: newest(materialized_world, a) for a in assets}


def test_killed_in_the_middle_of_ingest(tmp_path, undisturbed):
    world = make_tiny_world(tmp_path)
    blobs = world.home / "store" / "blobs"
    kill_when(world, 'key:"tiny/raw_images"', lambda _: any(blobs.rglob("*")))
    world.materialize('+key:"tiny/dataset_version"')
    assert newest(world, "raw_images") == undisturbed["raw_images"]
    assert newest(world, "dataset_version") == undisturbed["dataset_version"]


def test_killed_in_the_middle_of_training(tmp_path, undisturbed):
    world = make_tiny_world(tmp_path)
    world.materialize('+key:"tiny/dataset_version"')
    children = kill_when(world, 'key:"tiny/trained_model"', is_training)
    _, left = psutil.wait_procs(children, timeout=15)
    assert left == [], "the training process outlived the run"
    models = world.home / "store" / "projects" / "tiny" / "models"
    assert not list(models.glob("*")), "a model that is not complete can be seen"
    # the killed run held the only slot of the training pool: this must not wait for ever
    world.materialize('key:"tiny/trained_model"')
    assert newest(world, "trained_model") == undisturbed["trained_model"]


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 17.0])
def test_killed_after_any_time(tmp_path, undisturbed, seconds):
    """Wherever the kill falls, from the first file to the training, the digests are the same."""
    world = make_tiny_world(tmp_path)
    began = time.monotonic()
    kill_when(world, '+key:"tiny/trained_model"', lambda _: time.monotonic() - began > seconds)
    world.materialize('+key:"tiny/trained_model"')
    assert {a: newest(world, a) for a in undisturbed} == undisturbed
