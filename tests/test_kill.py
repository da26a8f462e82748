"""SIGKILL at any point, then the same command: the same digests, nothing half made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from cv_pipeline.provenance import EventLog
from tests.tiny_world import ROOT, TinyWorld, make_tiny_world

COMMAND = ["dagster", "asset", "materialize", "-m", "cv_pipeline.definitions", "--select"]
WAIT_SECONDS = 120.0


def newest(world: TinyWorld, asset: str) -> str:
    with dg.DagsterInstance.from_config(str(world.home / "dagster")) as instance:
        event = EventLog(instance).latest(f"tiny/{asset}")
    assert event is not None
    return event.version


def kill_when(world: TinyWorld, select: str, ready: Callable[[], bool]) -> None:
    """Start a run, wait until something has happened, and kill it and all that it started."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name(COMMAND[0])), *COMMAND[1:], select],
        env=world.environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while not ready():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def undisturbed(materialized_world: TinyWorld) -> dict[str, str]:
    assets = ("raw_images", "dataset_version", "trained_model")
    return {a: newest(materialized_world, a) for a in assets}


def test_killed_in_the_middle_of_ingest(tmp_path, undisturbed):
    world = make_tiny_world(tmp_path)
    blobs = world.home / "store" / "blobs"
    kill_when(world, 'key:"tiny/raw_images"', lambda: any(blobs.rglob("*")))
    world.materialize('+key:"tiny/dataset_version"')
    assert newest(world, "raw_images") == undisturbed["raw_images"]
    assert newest(world, "dataset_version") == undisturbed["dataset_version"]


def test_killed_in_the_middle_of_training(tmp_path, undisturbed):
    world = make_tiny_world(tmp_path)
    world.materialize('+key:"tiny/dataset_version"')
    children = world.home / "scratch"

    def training_has_begun() -> bool:
        listing = subprocess.run(
            ["pgrep", "-f", f"cv_pipeline.training.*{children}"], capture_output=True, check=False
        )
        return listing.returncode == 0

    kill_when(world, 'key:"tiny/trained_model"', training_has_begun)
    deadline = time.monotonic() + 15
    while training_has_begun():  # the child dies with its parent
        assert time.monotonic() < deadline, "the training process outlived the run"
        time.sleep(0.1)
    # the killed run held the only slot of the training pool: this must not wait for ever
    world.materialize('key:"tiny/trained_model"')
    assert newest(world, "trained_model") == undisturbed["trained_model"]
