"""Serves the inspector: ``python -m cv_pipeline.inspector --port 8000``."""

from __future__ import annotations

import argparse
import contextlib
import sys

import uvicorn

from cv_pipeline.cli.app import fail
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector import create_app
from cv_pipeline.inspector.access.settings import load_settings
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.labeling.tool.inspector_address import tell_address
from cv_pipeline.settings import cv_home


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--dagster-ui", default="http://127.0.0.1:3000")
    parser.add_argument("--mlflow-ui", default="http://127.0.0.1:5000")
    given = parser.parse_args()
    settings = load_settings(cv_home())
    if settings.allowed_hosts is not None and given.host not in ("0.0.0.0", "::"):  # noqa: S104
        hosts = (*settings.allowed_hosts, given.host)
        settings = settings.model_copy(update={"allowed_hosts": hosts})
    workspace = Workspace.open(dagster_ui=given.dagster_ui, mlflow_ui=given.mlflow_ui)
    app = create_app(workspace, settings=settings)
    setup = app.state.front_door.setup_path
    if setup is not None:
        sys.stdout.write(
            "There is no account yet. Make the first admin, with this link which works once:\n"
            f"  http://{given.host}:{given.port}{setup}\n"
        )
        sys.stdout.flush()
    config = uvicorn.Config(
        app, host=given.host, port=given.port, log_level="warning", access_log=False
    )
    listening = config.bind_socket()
    listening.set_inheritable(False)
    tell_address(given.host, int(listening.getsockname()[1]))  # only now is the port ours
    server = uvicorn.Server(config)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    if not server.started:
        sys.exit(3)


if __name__ == "__main__":
    try:
        main()
    except CVPipelineError as error:
        fail(error, status=1)
