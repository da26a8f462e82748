"""An inspector of two projects without images, and people who sign in to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from dagster import DagsterInstance
from fastapi import FastAPI
from starlette.testclient import TestClient

from cv_pipeline.inspector import create_app
from cv_pipeline.inspector.access import passwords
from cv_pipeline.inspector.access.front_door import FrontDoor
from cv_pipeline.inspector.access.roles import Role
from cv_pipeline.inspector.access.settings import Settings
from cv_pipeline.inspector.audit import AuditLog, Wanted
from cv_pipeline.inspector.database import open_database
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.storage import open_store

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "correct horse battery"
OWN, OTHER = "blood_cells", "fruit"


@pytest.fixture(autouse=True, scope="module")
def quick_hashes() -> Iterator[None]:
    """Hashes of passwords that cost next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_HASHER", quick)
        passwords._nobodys.cache_clear()
        yield
    passwords._nobodys.cache_clear()


@dataclass
class Inspector:
    """An inspector that runs, and its front door."""

    app: FastAPI
    workspace: Workspace
    home: Path

    @property
    def door(self) -> FrontDoor:
        return self.app.state.front_door

    @property
    def log(self) -> AuditLog:
        return self.app.state.audit_log

    def actions(self) -> list[str]:
        """What the audit log holds, the oldest first."""
        return [line.entry.action for line in self.log.export(Wanted())]

    def client(self, *, https: bool = False, **headers: str) -> TestClient:
        """Somebody's browser, which is not signed in."""
        scheme = "https" if https else "http"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return TestClient(self.app, base_url=f"{scheme}://localhost", headers=named)

    def person(self, name: str, roles: dict[str, Role] | None = None) -> TestClient:
        """The browser of an account that is made here and signed in."""
        self.door.accounts.add(name, password=PASSWORD, roles=roles or {})
        client = self.client()
        sign_in(client, name)
        return client

    def token(self, name: str, **limits: object) -> TestClient:
        """A program of an account that there is, with a token."""
        secret, _ = self.door.tokens.create(name, name="a test", **limits)  # type: ignore[arg-type]
        return self.client(authorization=f"Bearer {secret}")


def sign_in(client: TestClient, name: str, password: str = PASSWORD) -> None:
    """Sign in, and have the client send the page's proof from then on."""
    answer = client.post("/api/v1/signin", json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    take_proof(client)


def take_proof(client: TestClient) -> None:
    """Send what a page holds with every change."""
    page = client.get("/signin", headers={"accept": "text/html"}).text
    client.headers["x-csrf-token"] = page.partition('name="csrf" content="')[2].partition('"')[0]


Opener = Callable[..., Inspector]


@pytest.fixture
def open_inspector(tmp_path: Path) -> Iterator[Opener]:
    """Starts an inspector on one state folder; again for a restart."""
    opened: list[Inspector] = []
    instance = DagsterInstance.ephemeral()
    for name in (OWN, OTHER):
        (tmp_path / "projects").mkdir(exist_ok=True)
        shutil.copytree(ROOT / "projects" / name, tmp_path / "projects" / name)

    def start(settings: Settings | None = None) -> Inspector:
        home = tmp_path / "home"
        workspace = Workspace(
            home=home,
            projects=tmp_path / "projects",
            store=open_store(str(home / "store")),
            instance=instance,
            database=open_database(home),
        )
        app = create_app(workspace, settings=settings or Settings())
        opened.append(Inspector(app, workspace, home))
        return opened[-1]

    yield start
    for inspector in opened:
        inspector.door.close()
        inspector.log.close()
        inspector.workspace.database.dispose()
    instance.dispose()


@pytest.fixture
def inspector(open_inspector: Opener) -> Inspector:
    """An inspector without accounts."""
    return open_inspector()
