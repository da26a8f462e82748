"""Makes the state folder ready: the Dagster instance and MLflow's tables, once and for all.

The first use of fresh SQLite files by several processes at once breaks them, so they are made
here, under a lock, before anything else runs. Doing it again changes nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from cv_pipeline.settings import cv_home, mlflow_tracking_uri

DAGSTER_YAML = Path(__file__).resolve().parent.parent / "infra" / "dagster.yaml"


@dataclass(frozen=True)
class Home:
    """Where state lives after :func:`initialise`."""

    cv_home: Path
    dagster_home: Path
    tracking_uri: str


def initialise(*, log: Callable[[str], None]) -> Home:
    """Make ``CV_HOME`` and ``DAGSTER_HOME`` ready for use.

    ``DAGSTER_HOME`` defaults to ``$CV_HOME/dagster`` here, and only here. An existing
    ``dagster.yaml`` is kept.

    Args:
        log: takes one line per step that takes a while.
    """
    home = cv_home()
    dagster = Path(os.environ.get("DAGSTER_HOME") or home / "dagster").absolute()
    for folder in (home, dagster, home / "mlflow", home / "store"):
        folder.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(dagster)
    with FileLock(home / "init.lock"):
        _initialise_dagster(dagster, log)
        _initialise_mlflow(log)
    return Home(cv_home=home, dagster_home=dagster, tracking_uri=mlflow_tracking_uri())


def _initialise_dagster(folder: Path, log: Callable[[str], None]) -> None:
    if not (folder / "dagster.yaml").exists():
        shutil.copyfile(DAGSTER_YAML, folder / "dagster.yaml")
    if (folder / "schedules").exists():
        return
    from dagster import DagsterInstance

    log(f"initialising Dagster in {folder}")
    # it prints its progress, which is no part of what the caller prints
    with redirect_stdout(sys.stderr), DagsterInstance.get() as instance:
        instance.upgrade()


def _initialise_mlflow(log: Callable[[str], None]) -> None:
    uri = mlflow_tracking_uri()
    path = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or path.exists():
        return
    log(f"initialising MLflow in {path}")
    from cv_pipeline.training import initialise_tracking

    initialise_tracking(uri)
