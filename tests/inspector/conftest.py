"""A world for tests of the inspector: pictures, versions and models, without a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import DagsterInstance
from fastapi import FastAPI
from starlette.testclient import TestClient

from benchmarks.worlds.inspected import make_inspected
from cv_pipeline.inspector import create_app
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.workspace import Workspace
from tests.once import made_once
from tests.tiny_world import initialise

ADMIN = Access("ada", {"*": Role.ADMIN}, means="session", csrf="proof")


@pytest.fixture(scope="session")
def inspected_home() -> Path:
    """A CV_HOME of project ``large``: 2,000 pictures, 3 versions, 2 evaluated models; only look."""
    return made_once("inspected", _make)


def _make(home: Path) -> None:
    initialise(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CV_HOME", str(home))
        patch.setenv("DAGSTER_HOME", str(home / "dagster"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with DagsterInstance.get() as instance:
            make_inspected(home, instance, images=2_000, versions=3, models=4, evaluated=2)


@pytest.fixture(scope="session")
def clients(inspected_home: Path) -> Iterator[Callable[[Access], TestClient]]:
    """One application over ``inspected_home``, for all modules."""
    with _environment(inspected_home):
        workspace = Workspace.open()
        asking: dict[str, Access] = {}

        def who(connection: object) -> Access:
            return asking[connection.headers["x-test-user"]]  # type: ignore[attr-defined]

        app: FastAPI = create_app(workspace, authenticator=who)

    def client(access: Access = ADMIN) -> TestClient:
        key = f"{access.user}-{len(asking)}"
        asking[key] = access
        headers = {"x-test-user": key, "x-csrf-token": access.csrf}
        return TestClient(app, headers=headers, base_url="http://127.0.0.1")

    yield client
    workspace.close()


@pytest.fixture(scope="module")
def inspected(
    inspected_home: Path, clients: Callable[[Access], TestClient]
) -> Iterator[Callable[[Access], TestClient]]:
    """Makes clients of one application over ``inspected_home``, each for somebody's access.

    The environment is that of this world while a module's tests run, and no longer.
    """
    with _environment(inspected_home):
        yield clients


@contextmanager
def _environment(home: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CV_HOME", str(home))
        patch.setenv("DAGSTER_HOME", str(home / "dagster"))
        patch.setenv("CV_PROJECTS", str(home / "projects"))
        patch.delenv("CV_STORE", raising=False)
        yield
