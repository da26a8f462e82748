"""``cvp ui``: everything a person looks at, on loopback, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cv_pipeline.cli.app import Json, console, errors, print_json
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.settings import dagster_home, mlflow_tracking_uri

if TYPE_CHECKING:
    from cv_pipeline.labeling.tool.local_server import LocalServer

STOP_SECONDS = 15.0
HOST = "127.0.0.1"


def ui(
    port: Annotated[int, typer.Option(help="Port of the inspector.")] = 8000,
    dagster_port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow UI.")] = 5000,
    label_studio_port: Annotated[int, typer.Option(help="Port of Label Studio.")] = 8080,
    label_studio: Annotated[
        bool,
        typer.Option(help="Start Label Studio where it is installed, unless one runs elsewhere."),
    ] = True,
    as_json: Json = False,
) -> None:
    """Start the inspector, Dagster, MLflow and Label Studio on loopback; Ctrl-C stops them all."""
    dagster_home()
    workspace = Path("workspace.yaml")
    if not workspace.is_file():
        raise CVPipelineError(
            "workspace.yaml is not in the working directory.", do="Run it in the repository's root."
        )
    addresses = {
        "inspector": f"http://{HOST}:{port}",
        "dagster": f"http://{HOST}:{dagster_port}",
        "mlflow": f"http://{HOST}:{mlflow_port}",
    }
    tool = _label_studio(label_studio_port) if label_studio else None
    if tool is not None:
        addresses["label_studio"] = tool.url
    if as_json:
        print_json(addresses)
    else:
        console.print(f"Inspector  [bold]{addresses['inspector']}[/]")
        console.print(f"Dagster    {addresses['dagster']}   MLflow  {addresses['mlflow']}")
        if tool is not None:
            console.print(f"Label Studio  {tool.url}   sign in as shown by: cvp label-studio")
        console.print("Ctrl-C stops everything.", style="dim")
    inspector = ["-m", "cv_pipeline.inspector", "--host", HOST, "--port", str(port)]
    inspector += ["--dagster-ui", addresses["dagster"], "--mlflow-ui", addresses["mlflow"]]
    mlflow = ["--backend-store-uri", mlflow_tracking_uri(), "--workers", "1"]
    known, token = ({}, {}) if tool is None else _told(tool)
    dagster = ["dagster", "dev", "-w", str(workspace), "-h", HOST, "-p", str(dagster_port)]
    processes = [
        _start([Path(sys.executable).name, *inspector], known),
        _start(dagster, known | token),
        _start(["mlflow", "server", "--host", HOST, "--port", str(mlflow_port), *mlflow]),
    ]
    for name in (signal.SIGINT, signal.SIGTERM):  # also where a shell made us ignore Ctrl-C
        signal.signal(name, signal.default_int_handler)
    try:
        while all(p.poll() is None for p in processes):
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("stopping")
    finally:
        if tool is not None:
            tool.stop()
        _stop(processes)


def _label_studio(port: int) -> LocalServer | None:
    """Label Studio on its way up; None where it is not installed, or one runs elsewhere."""
    from cv_pipeline.labeling.tool.connection import URL_VARIABLE
    from cv_pipeline.labeling.tool.local_server import (
        LocalServer,
        data_folder,
        is_installed,
        is_ready,
        prepare,
    )

    if not is_installed() or os.environ.get(URL_VARIABLE):
        return None
    data = data_folder()
    if not is_ready(data):
        errors.print("making Label Studio ready: about a minute, once", style="dim")
    try:
        prepare(data)
        server = LocalServer(data, port=port)
        server.start(wait=False)
    except CVPipelineError as error:  # the rest is of use without it
        errors.print(f"Label Studio is left out: {error}", markup=False)
        return None
    return server


def _told(tool: LocalServer) -> tuple[dict[str, str], dict[str, str]]:
    """What processes are told of Label Studio: where it is, and to some the token."""
    from cv_pipeline.labeling.tool.connection import TOKEN_VARIABLE, URL_VARIABLE
    from cv_pipeline.labeling.tool.local_server import ADMIN, data_folder, prepare

    return {URL_VARIABLE: tool.url}, {TOKEN_VARIABLE: prepare(data_folder())[ADMIN].token}


def _start(command: list[str], more: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """A program of this environment, in a session of its own so that we decide when it ends."""
    program = Path(sys.executable).with_name(command[0])
    own = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **(more or {})}
    environment = {**os.environ, **own}
    return subprocess.Popen([str(program), *command[1:]], env=environment, start_new_session=True)


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask each process group to end, then insist."""
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
