"""Where state lives, read from the environment once per call and never cached.

The names are public and fixed: ``CV_HOME``, ``DAGSTER_HOME``, ``CV_STORE``, ``CV_REAL_DATA`` and
``CV_PROJECTS``. Importing this module switches off the telemetry of every part.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from cv_pipeline.errors import SettingsError

TELEMETRY_OFF = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    "COLLECT_ANALYTICS": "false",
    "LIGHTNING_DISABLE_VERSION_CHECK": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}


def disable_telemetry() -> None:
    """Switch off the telemetry of Dagster, MLflow, Great Expectations, Ray and Label Studio."""
    os.environ.update(TELEMETRY_OFF)


disable_telemetry()


def cv_home() -> Path:
    """Folder of all state (``CV_HOME``, default ``.cv_pipeline`` in the working directory)."""
    return Path(os.environ.get("CV_HOME") or ".cv_pipeline").absolute()


def dagster_home() -> Path:
    """Folder of the Dagster instance, which is the provenance record.

    Raises:
        SettingsError: ``DAGSTER_HOME`` is unset, for then Dagster would use a temporary instance
            and forget every run; or it is not an absolute path of an existing folder.
    """
    value = os.environ.get("DAGSTER_HOME")
    if not value:
        raise SettingsError(
            "DAGSTER_HOME is not set, so Dagster would forget every run and its provenance.",
            do='Run: cvp init && export DAGSTER_HOME="${CV_HOME:-$PWD/.cv_pipeline}/dagster"',
        )
    path = Path(value)
    if not path.is_absolute() or not path.is_dir():
        raise SettingsError(
            f"DAGSTER_HOME={value!r} is not the absolute path of an existing folder.",
            do="Run: cvp init",
        )
    return path


def store_url() -> str:
    """URL of the object store: a folder, or ``s3://bucket/prefix`` (``CV_STORE``)."""
    return os.environ.get("CV_STORE") or str(cv_home() / "store")


def projects_dir() -> Path:
    """Folder of the projects (``CV_PROJECTS``, default ``projects``)."""
    return Path(os.environ.get("CV_PROJECTS") or "projects").absolute()


def mlflow_tracking_uri() -> str:
    """MLflow's tracking store (``MLFLOW_TRACKING_URI``, default SQLite under ``CV_HOME``)."""
    default = f"sqlite:///{cv_home() / 'mlflow' / 'mlflow.db'}"
    return os.environ.get("MLFLOW_TRACKING_URI") or default


def expand(value: str) -> str:
    """Expand ``${NAME}`` in a path of a ``project.yaml``.

    ``CV_HOME`` always has a value. ``CV_REAL_DATA`` and other names must be set.

    Raises:
        SettingsError: a name is not set in the environment.
    """
    names = re.findall(r"\$\{(\w+)\}", value)
    for name in names:
        known = str(cv_home()) if name == "CV_HOME" else os.environ.get(name)
        if not known:
            hint = (
                "Set it to the folder of the sample archives, bccd.tar.gz and cifar10n.tar.gz."
                if name == "CV_REAL_DATA"
                else "Set it in the environment."
            )
            raise SettingsError(f"{value!r} needs {name}, which is not set.", do=hint)
        value = value.replace(f"${{{name}}}", known)
    return value
