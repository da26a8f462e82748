"""A catalogue and a datalake to test on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.storage import open_store
from tests.catalog.datalake_world import DatalakeWorld, make_datalake_world


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """An empty catalogue in a local folder."""
    return Catalog(open_store(str(tmp_path / "store")), "fruit")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatalakeWorld:
    """A project with a lake of six images, found through the environment."""
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    monkeypatch.setenv("CV_ACTOR", "anna")
    return make_datalake_world(tmp_path)
