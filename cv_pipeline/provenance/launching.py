"""Hands a job to Dagster's webserver, whose daemon launches it."""

from __future__ import annotations

from collections.abc import Mapping

from cv_pipeline.errors import CorrectiveError
from cv_pipeline.provenance.run_tags import ACTOR_TAG, ORIGIN_TAG
from cv_pipeline.provenance.webserver import webserver

PATIENCE = 60
"""Seconds that a webserver is given to take a run."""


def launch_job(
    job: str, address: str, *, actor: str, origin: str, tags: Mapping[str, str] | None = None
) -> str:
    """Launch a job as it is declared; returns the id of its run.

    Args:
        job: name of the job.
        address: of the webserver.
        actor: who launches it.
        origin: from where, as the list of runs says it.
        tags: what else the run is told.

    Raises:
        CorrectiveError: no webserver took it.
    """
    from dagster_graphql import DagsterGraphQLClientError

    told = {**(tags or {}), ACTOR_TAG: actor, ORIGIN_TAG: origin}
    try:
        run_id: str = webserver(address, patience=PATIENCE).submit_job_execution(job, tags=told)
    except (DagsterGraphQLClientError, OSError, ValueError) as error:  # ValueError: no address
        raise CorrectiveError(
            f"Nothing was launched, for no webserver at {address} took it: {error}.",
            do="Start it with: cvp ui. Then press again.",
        ) from error
    return run_id
