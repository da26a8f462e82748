"""State, telemetry and the environment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cv_pipeline import settings
from cv_pipeline.errors import SettingsError


def test_telemetry_is_off_from_the_first_import():
    code = (
        "import os; import cv_pipeline.settings;"
        "print(os.environ['DO_NOT_TRACK'], os.environ['MLFLOW_DISABLE_TELEMETRY'],"
        "os.environ['GX_ANALYTICS_ENABLED'])"
    )
    clean = {k: v for k, v in os.environ.items() if k not in settings.TELEMETRY_OFF}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["true", "true", "false"]


def test_dagster_home_must_be_set_and_exist(monkeypatch, tmp_path):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(SettingsError, match=r"DAGSTER_HOME is not set.*Run: cvp init"):
        settings.dagster_home()
    monkeypatch.setenv("DAGSTER_HOME", "relative")
    with pytest.raises(SettingsError, match="not the absolute path"):
        settings.dagster_home()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert settings.dagster_home() == tmp_path


def test_a_path_with_an_unset_name_says_which(monkeypatch):
    monkeypatch.delenv("CV_REAL_DATA", raising=False)
    with pytest.raises(SettingsError, match=r"needs CV_REAL_DATA.*bccd\.tar\.gz"):
        settings.expand("${CV_REAL_DATA}/bccd.tar.gz!BCCD")
    monkeypatch.setenv("CV_REAL_DATA", "")
    with pytest.raises(SettingsError, match="needs CV_REAL_DATA"):
        settings.expand("${CV_REAL_DATA}/bccd.tar.gz")


def test_defaults_lie_below_cv_home(monkeypatch, tmp_path):
    for name in ("CV_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CV_HOME", str(tmp_path))
    assert settings.store_url() == str(tmp_path / "store")
    assert settings.mlflow_tracking_uri() == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert settings.expand("${CV_HOME}/x") == f"{tmp_path}/x"
