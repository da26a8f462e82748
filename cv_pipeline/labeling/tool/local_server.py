"""A Label Studio on this machine, on loopback: for ``cvp ui``, tests and benchmarks.

It has a Python environment of its own, ``.label_studio`` beside the repository's, where
``make label_studio`` puts it. Sign-up is closed and telemetry off. Its tables are made once for
each installation and copied from then on, which saves half a minute. It ends with the process that
started it, and leaves a note in its data directory of where it is while it runs.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from filelock import FileLock

from cv_pipeline.errors import SettingsError, ToolUnavailable
from cv_pipeline.settings import cv_home

HOST = "127.0.0.1"
PORT = 8080
ADMIN = "admin@localhost"
INSTALLED = Path(__file__).resolve().parents[3] / ".label_studio"
START_SECONDS = 120.0
STOP_SECONDS = 10.0
_SCRIPT = Path(__file__).with_name("mint_tokens.py")
_SERVE = Path(__file__).with_name("serve.py")
_ACCOUNTS = "cv_pipeline.json"
_RUNNING = "running.json"
_SETTINGS = {
    "LATEST_VERSION_CHECK": "false",
    "COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "DEBUG": "false",
    "LOG_LEVEL": "WARNING",
}
_FOREIGN = ("CV_", "DAGSTER_", "MLFLOW_", "DJANGO_", "LABEL_STUDIO_", "AWS_")


@dataclass(frozen=True)
class Account:
    """An account of a Label Studio on this machine.

    Attributes:
        id: of it, in Label Studio.
        email: address that it signs in with.
        password: to sign in with.
        token: personal access token.
    """

    id: int
    email: str
    password: str
    token: str

    def __repr__(self) -> str:
        """Without its secrets."""
        return f"Account({self.id}, {self.email!r})"


def is_installed(installed: Path = INSTALLED) -> bool:
    """Whether Label Studio is installed beside the repository."""
    return (installed / "bin" / "label-studio").is_file()


def data_folder() -> Path:
    """Data directory of the Label Studio that ``cvp ui`` starts."""
    return cv_home() / "label_studio"


def running_url(data: Path | None = None) -> str | None:
    """Address of the Label Studio that runs on a data directory; None where none does.

    Args:
        data: the directory; by default that of the one that ``cvp ui`` starts.
    """
    folder = data or data_folder()
    try:
        told = json.loads((folder / _RUNNING).read_text())
        port, pid = int(told["port"]), int(told["pid"])
        os.kill(pid, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # the process may be another one by now
    return f"http://{HOST}:{port}" if _is_taken(port) else None


def admin_token(data: Path | None = None) -> str | None:
    """Token of the admin of a data directory; None where it is not ready."""
    admin = _kept(data or data_folder()).get(ADMIN)
    return admin.token if admin else None


def is_ready(data: Path) -> bool:
    """Whether :func:`prepare` has made a data directory ready."""
    return ADMIN in _kept(data)


def prepare(
    data: Path, emails: tuple[str, ...] = (), *, installed: Path = INSTALLED
) -> dict[str, Account]:
    """Make a data directory ready: the tables, an admin, and accounts.

    Args:
        data: the directory; what is there stays.
        emails: accounts beside the admin's.
        installed: where Label Studio is installed.

    Returns:
        Address to account, the admin's first. They are kept in the directory, for its owner only.

    Raises:
        SettingsError: Label Studio is not installed, or its tables cannot be made.
    """
    if not is_installed(installed):
        raise SettingsError("Label Studio is not installed here.", do="Run: make label_studio")
    known = _kept(data)
    wanted = [email for email in (ADMIN, *emails) if email not in known]
    if not wanted:
        return known
    if not data.exists():
        _copy_template(data, installed)
    made = _run_script(data, {e: secrets.token_urlsafe(18) for e in wanted}, installed)
    known |= made
    _keep(data, known)
    return known


class LocalServer:
    """A running Label Studio.

    Args:
        data: its data directory, made ready by :func:`prepare`.
        port: where it listens; a free one when there is none given.
        log: file that its output goes to.
        installed: where it is installed.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int | None = None,
        log: Path | None = None,
        installed: Path = INSTALLED,
    ) -> None:
        self._data = data
        self._installed = installed
        self._log = log or data / "server.log"
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        """Start it.

        Args:
            wait: whether to return only when it answers.

        Raises:
            SettingsError: its port is taken.
            ToolUnavailable: it ends, or does not answer in time.
        """
        if _is_taken(self.port):  # Label Studio would take the next one without a word
            raise SettingsError(
                f"Port {self.port} is taken.", do="Choose another for Label Studio."
            )
        python = self._installed / "bin" / "python"
        command = [str(python), str(_SERVE), "start", "--no-browser", "--internal-host", HOST]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                env=_environment(self._data),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        note = {"pid": self.process.pid, "port": self.port}
        (self._data / _RUNNING).write_text(json.dumps(note))
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            ToolUnavailable: it ends, or does not in time.
        """
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health", timeout=5).is_success:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        self.stop()
        raise ToolUnavailable(
            f"Label Studio did not start at {self.url}.", do=f"Its log, {self._log}, says more."
        )

    def stop(self) -> None:
        """Ask it to end, then insist."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdin is not None:
            process.stdin.close()
        (self._data / _RUNNING).unlink(missing_ok=True)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _environment(data: Path) -> dict[str, str]:
    """What Label Studio sees: none of our secrets, and none of another installation's settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    admin = _kept(data).get(ADMIN)
    own = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_USERNAME": ADMIN,
        # the account is there, so this makes nothing; without it, it asks on the terminal
        "LABEL_STUDIO_PASSWORD": admin.password if admin else secrets.token_urlsafe(18),
    }
    return kept | _SETTINGS | own


def _copy_template(data: Path, installed: Path) -> None:
    """Copy tables that were made before, or make them."""
    template = installed / "tables"
    with FileLock(installed / "tables.lock"):
        if not (template / ".whole").exists():
            shutil.rmtree(template, ignore_errors=True)
            template.mkdir()
            _run_script(template, {}, installed)
            (template / ".env").unlink(missing_ok=True)  # its secret: every copy has its own
            (template / ".whole").touch()
    data.parent.mkdir(parents=True, exist_ok=True)
    building = data.with_name(f".{data.name}.{secrets.token_hex(4)}")
    shutil.copytree(template, building)
    building.chmod(0o700)
    building.rename(data)


def _run_script(data: Path, accounts: Mapping[str, str], installed: Path) -> dict[str, Account]:
    done = subprocess.run(
        [str(installed / "bin" / "python"), str(_SCRIPT)],
        input=json.dumps(accounts),
        env=_environment(data),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SettingsError(
            f"The tables of Label Studio in {data} cannot be made: {last}.",
            do="Remove .label_studio and run: make label_studio",
        )
    told = json.loads(done.stdout)
    return {
        email: Account(one["id"], email, accounts[email], one["token"])
        for email, one in told.items()
    }


def _kept(data: Path) -> dict[str, Account]:
    try:
        told = json.loads((data / _ACCOUNTS).read_text())
    except FileNotFoundError:
        return {}
    return {one["email"]: Account(**one) for one in told}


def _keep(data: Path, accounts: Mapping[str, Account]) -> None:
    temporary = data / f".{_ACCOUNTS}.{secrets.token_hex(4)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump([vars(one) for one in accounts.values()], file)
    temporary.rename(data / _ACCOUNTS)
