"""``cvp ui``: everything a person looks at, on loopback, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.settings import dagster_home, mlflow_tracking_uri

STOP_SECONDS = 15.0
HOST = "127.0.0.1"


def ui(
    port: Annotated[int, typer.Option(help="Port of the inspector.")] = 8000,
    dagster_port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow UI.")] = 5000,
    as_json: Json = False,
) -> None:
    """Start the inspector, Dagster and MLflow on loopback; Ctrl-C stops them all."""
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
    if as_json:
        print_json(addresses)
    else:
        console.print(f"Inspector  [bold]{addresses['inspector']}[/]")
        console.print(f"Dagster    {addresses['dagster']}   MLflow  {addresses['mlflow']}")
        console.print("Ctrl-C stops everything.", style="dim")
    inspector = ["-m", "cv_pipeline.inspector", "--host", HOST, "--port", str(port)]
    inspector += ["--dagster-ui", addresses["dagster"], "--mlflow-ui", addresses["mlflow"]]
    mlflow = ["--backend-store-uri", mlflow_tracking_uri(), "--workers", "1"]
    processes = [
        _start([Path(sys.executable).name, *inspector]),
        _start(["dagster", "dev", "-w", str(workspace), "-h", HOST, "-p", str(dagster_port)]),
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
        _stop(processes)


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """A program of this environment, in a session of its own so that we decide when it ends."""
    program = Path(sys.executable).with_name(command[0])
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
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
