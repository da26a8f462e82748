"""A real inspector on loopback over a state folder, an account, and people who use it."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cv_pipeline.inspector.access.accounts import Accounts
from cv_pipeline.inspector.access.roles import Permission, Role
from cv_pipeline.inspector.access.tokens import Tokens
from cv_pipeline.inspector.database import open_database

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = ROOT / "tests" / "inspector" / "people.py"
START_SECONDS = 120.0


@dataclass(frozen=True)
class Served:
    """An inspector that answers.

    Attributes:
        url: its address.
        token: good for everything that an engineer may do.
        pid: its process.
    """

    url: str
    token: str
    pid: int


@contextmanager
def served(home: Path, *, more: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Serve a state folder until the block ends.

    Args:
        home: CV_HOME, with ``projects`` in it.
        more: more of the environment.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "CV_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "CV_PROJECTS": str(home / "projects"),
        **(more or {}),
    }
    command = [sys.executable, "-m", "cv_pipeline.inspector", "--port", str(port)]
    with (home / "inspector.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(f"{url}/api/v1/health", process)
            yield Served(url, _token(home), process.pid)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """A port on loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def people(server: Served, *, project: str, users: int, seconds: int) -> list[dict[str, str]]:
    """Let people use it at once, by locust.

    Returns:
        A row for each kind of request, the last for all, in locust's columns: ``Name``,
        ``Request Count``, ``Failure Count``, ``95%`` (ms), …
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", "-m", "locust", "-f", str(PEOPLE), "--headless"]
        command += ["--host", server.url, "--users", str(users), "--spawn-rate", str(users)]
        command += ["--run-time", f"{seconds}s", "--csv", f"{folder}/people", "--only-summary"]
        environment = {
            **os.environ,
            "INSPECTOR_TOKEN": server.token,
            "INSPECTOR_PROJECT": project,
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        stats = Path(folder) / "people_stats.csv"
        if not stats.is_file():
            raise RuntimeError(done.stderr[-4000:])
        with stats.open(newline="") as file:
            return list(csv.DictReader(file))


def _token(home: Path) -> str:
    database = open_database(home)
    try:
        accounts = Accounts(database)
        if not accounts.any():
            accounts.add("ada", password="a long one for a test", roles={"*": Role.ENGINEER})
        scopes = (
            Permission.VIEW,
            Permission.ASSIGNED,
            Permission.COMMENT,
            Permission.REVIEW,
            Permission.LAUNCH,
        )
        return Tokens(database).create("ada", name="load", scopes=scopes)[0]
    finally:
        database.dispose()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the inspector did not start; see inspector.log") from None
            time.sleep(0.3)
