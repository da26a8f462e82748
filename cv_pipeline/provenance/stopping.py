"""Stops runs, as Dagster's own pages do: by its webserver, which tells the process of the run."""

from __future__ import annotations

from cv_pipeline.errors import CorrectiveError
from cv_pipeline.provenance.webserver import webserver

STOP_PATIENCE = 20
"""Seconds that a webserver is given to stop a run."""


def stop_run(run_id: str, address: str) -> None:
    """Stop a run that waits or goes on; what it has made is kept.

    One that waits is taken from the queue. One that goes on ends its step first, as soon as that
    can be interrupted.

    Args:
        run_id: the run.
        address: of the webserver.

    Raises:
        CorrectiveError: no webserver stopped it.
    """
    from dagster_graphql import DagsterGraphQLClientError

    try:
        webserver(address, patience=STOP_PATIENCE).terminate_run(run_id)
    except (DagsterGraphQLClientError, OSError, ValueError) as error:  # ValueError: no address
        said = str(error.__cause__ or error).partition("\n")[0][:300].rstrip(".")
        raise CorrectiveError(
            f"Run {run_id[:8]} was not stopped by the webserver at {address}: {said}.",
            do="See that it runs (cvp ui), and try again; where the process of the run is gone,"
            " `cvp ui` marks the run as failed when it starts.",
        ) from error
