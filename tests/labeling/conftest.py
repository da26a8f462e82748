"""A real Label Studio with five annotators, and lakes whose images are pushed to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from cv_pipeline.labeling.tool.local_server import INSTALLED, LocalServer, is_installed, prepare
from tests.labeling.pushed_lake import PushedLake, make_lake
from tests.labeling.studio import EMAILS, Studio


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A running Label Studio; its tables and accounts are made once for each installation."""
    if not is_installed():
        pytest.skip("run: make label_studio")
    ready = INSTALLED / "test-accounts"
    with FileLock(INSTALLED / "test-accounts.lock"):
        prepare(ready, EMAILS)
    data = Path(shutil.copytree(ready, tmp_path_factory.mktemp("label-studio") / "data"))
    server = LocalServer(data)
    server.start()
    studio = Studio(server, prepare(data, EMAILS))
    yield studio
    studio.close()
    server.stop()


@pytest.fixture
def lake(label_studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PushedLake:
    """A lake of its own for a test, of a project that the tool has never heard of."""
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    return make_lake(tmp_path, label_studio)
