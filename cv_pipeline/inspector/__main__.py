"""Serves the inspector: ``python -m cv_pipeline.inspector --port 8000``."""

from __future__ import annotations

import argparse

import uvicorn

from cv_pipeline.inspector import create_app
from cv_pipeline.inspector.workspace import Workspace


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--dagster-ui", default="http://127.0.0.1:3000")
    parser.add_argument("--mlflow-ui", default="http://127.0.0.1:5000")
    given = parser.parse_args()
    workspace = Workspace.open(dagster_ui=given.dagster_ui, mlflow_ui=given.mlflow_ui)
    from cv_pipeline.inspector.access.access import Access
    from cv_pipeline.inspector.access.roles import Role

    app = create_app(
        workspace,
        authenticator=lambda _: Access("dev", {"*": Role.ADMIN}, means="session", csrf="dev"),
    )
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
