"""The Label Studio of this machine: it starts, keeps what it has, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock
from typer.testing import CliRunner

from cv_pipeline.cli import app
from cv_pipeline.errors import SettingsError, ToolDenied
from cv_pipeline.labeling.tool.connection import Connection, connect, tool_url
from cv_pipeline.labeling.tool.label_studio import Tool
from cv_pipeline.labeling.tool.local_server import (
    ADMIN,
    INSTALLED,
    LocalServer,
    is_installed,
    is_ready,
    prepare,
    running_url,
)
from cv_pipeline.project import find_project
from tests.labeling.studio import EMAILS
from tests.tiny_world import ROOT

SECONDS = 60
STARTER = """
import sys
from pathlib import Path
from cv_pipeline.labeling.tool.local_server import LocalServer
server = LocalServer(Path(sys.argv[1]))
server.start()
print(server.port, server.process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of ``cvp ui``, with tables and accounts that were made before."""
    if not is_installed():
        pytest.skip("run: make label_studio")
    monkeypatch.setenv("CV_HOME", str(tmp_path))
    for name in ("CV_LABEL_STUDIO_URL", "CV_LABEL_STUDIO_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with FileLock(INSTALLED / "test-accounts.lock"):
        prepare(INSTALLED / "test-accounts", EMAILS)
    return Path(shutil.copytree(INSTALLED / "test-accounts", tmp_path / "label_studio"))


@pytest.fixture
def started(data: Path) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A process that started one and waits, with its port and its process."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    port, pid = map(int, starter.stdout.readline().split())
    yield starter, port, pid
    starter.kill()
    starter.communicate()


def test_killed_with_its_starter_and_started_again_it_has_what_it_had(
    data: Path, started: tuple[subprocess.Popen[str], int, int]
) -> None:
    starter, port, pid = started
    accounts = prepare(data)
    url = f"http://127.0.0.1:{port}"
    assert is_ready(data)
    assert (running_url(), running_url(data)) == (url, url)

    # what a shell needs: the address and the token are those of the one that runs
    shipped = find_project("fruit", ROOT / "projects")
    assert tool_url(shipped) == url
    connection = connect(shipped)
    assert sorted(Tool(connection).members().values()) == sorted([ADMIN, *EMAILS])
    made = Tool(connection).make_project(
        "kept", description="", configuration="<View/>", overlap=1, instructions=""
    )
    connection.close()
    told = json.loads(CliRunner().invoke(app, ["label-studio", "--json"]).output)
    assert (told["url"], told["running"]) == (url, True)
    assert {one["email"]: one["name"] for one in told["accounts"]} == {
        email: f"studio-{one.id}" for email, one in accounts.items()
    }

    # a port that is taken is said, where Label Studio would quietly take another
    with pytest.raises(SettingsError, match=f"Port {port} is taken"):
        LocalServer(data, port=port).start()

    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    os.kill(starter.pid, signal.SIGKILL)
    _, left = psutil.wait_procs(family, timeout=SECONDS)
    assert left == [], "nothing is left of it, though nobody stopped it"
    assert running_url() is None
    assert tool_url(shipped) is None

    server = LocalServer(data)
    server.start()
    try:
        again = Connection(server.url, accounts[ADMIN].token)
        assert Tool(again).project(made.id) is not None
        assert sorted(Tool(again).members().values()) == sorted([ADMIN, *EMAILS])
        again.close()
        wrong = Connection(server.url, accounts[ADMIN].token[:-3] + "abc")
        with pytest.raises(ToolDenied):
            Tool(wrong).members()
        wrong.close()
        process = server.process
    finally:
        server.stop()
    assert process is not None
    assert process.poll() is not None
    assert not (data / "running.json").exists()
    log = (data / "server.log").read_text()
    assert "Fatal Python error" not in log
