"""The runs of a project as Dagster keeps them, whoever launched them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.storage.dagster_run import RunRecord
from pydantic import BaseModel

from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.provenance.corrective_runs import CORRECTIVE_TAG
from cv_pipeline.provenance.run_tags import actor_of, origin_of

JOBS = {
    "pipeline": "everything",
    "ingest": "new images",
    "annotations": "what annotators did",
    "retraining": "retraining",
    "corrective": "corrective run",
}
UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
STOPPABLE = [status for status in UNFINISHED if status is not DagsterRunStatus.CANCELING]
STATES: Mapping[str, Sequence[DagsterRunStatus]] = {
    "all": (),
    "unfinished": UNFINISHED,
    "succeeded": [DagsterRunStatus.SUCCESS],
    "failed": [DagsterRunStatus.FAILURE],
    "stopped": [DagsterRunStatus.CANCELED],
}
"""What a list of runs can be limited to."""
_LOOKED_AT = 60
MOST_LOOKED_AT = 1_000
"""Runs of all projects that are looked at for one page of one project."""


class RunLine(BaseModel):
    """A run in a list.

    Attributes:
        by: who launched it; empty where it is not known.
        origin: from where: inspector, command line, sensor, schedule, Dagster's pages; empty where
            it is not known.
        corrective: digest of the record that it follows; empty for none.
    """

    run_id: str
    what: str
    status: str
    finished: bool
    by: str
    origin: str = ""
    created: datetime
    started: datetime | None
    ended: datetime | None
    seconds: float | None = None
    corrective: str = ""


def runs_of(
    instance: DagsterInstance, project: str, *, unfinished: bool = False, limit: int = 8
) -> list[RunLine]:
    """The newest runs of a project, newest first.

    Args:
        instance: the Dagster instance.
        project: name of the project.
        unfinished: only those that wait or run.
        limit: at most this many, of the newest of all projects.
    """
    wanted = RunsFilter(statuses=UNFINISHED) if unfinished else None
    records = instance.get_run_records(wanted, limit=_LOOKED_AT)
    return [line(r) for r in records if project in projects_of(r.dagster_run)][:limit]


def page_of_runs(
    instance: DagsterInstance, project: str, *, state: str, before: str | None, limit: int
) -> tuple[list[RunLine], str | None]:
    """Some runs of a project, newest first, and the run after which older ones follow, if any do.

    However many runs other projects have, a page looks at :data:`MOST_LOOKED_AT` at most; it may
    then have fewer than were asked for, and older ones follow.

    Args:
        instance: the Dagster instance.
        project: name of the project.
        state: one of :data:`STATES`.
        before: id of a run; only older ones.
        limit: at most so many.
    """
    wanted = RunsFilter(statuses=list(STATES[state])) if STATES[state] else None
    found: list[RunLine] = []
    looked = 0
    cursor = before
    while looked < MOST_LOOKED_AT:
        records = instance.get_run_records(wanted, limit=_LOOKED_AT, cursor=cursor)
        for record in records:
            cursor = record.dagster_run.run_id
            if project in projects_of(record.dagster_run):
                found.append(line(record))
                if len(found) == limit:
                    return found, cursor
        looked += len(records)
        if len(records) < _LOOKED_AT:
            return found, None
    return found, cursor


def find_run(instance: DagsterInstance, project: str, run_id: str) -> RunRecord:
    """A run of a project.

    Raises:
        NotFound: there is none, or it is of another project.
    """
    record = instance.get_run_record_by_id(run_id)
    if record is None or project not in projects_of(record.dagster_run):
        raise NotFound(
            f"Project {project} has no run {run_id[:36]!r}.",
            do=f"All runs of the project are at /p/{project}/runs.",
        )
    return record


def projects_of(run: DagsterRun) -> set[str]:
    """Names of the projects whose assets a run makes or checks."""
    found = {key.path[0] for key in run.asset_selection or ()}
    found |= {check.asset_key.path[0] for check in run.asset_check_selection or ()}
    name, _, kind = run.job_name.rpartition("_")
    if kind in JOBS and name:
        found.add(name)
    return found


def line(record: RunRecord) -> RunLine:
    """A run as a list shows it."""
    run = record.dagster_run
    end = record.end_time or (None if run.is_finished else time.time())
    start = record.start_time
    return RunLine(
        run_id=run.run_id,
        what=in_words(run),
        status=run.status.value,
        finished=run.is_finished,
        by=actor_of(run),
        origin=origin_of(run),
        created=record.create_timestamp,
        started=_moment(record.start_time),
        ended=_moment(record.end_time),
        seconds=None if start is None or end is None else round(end - start, 1),
        corrective=run.tags.get(CORRECTIVE_TAG, ""),
    )


def in_words(run: DagsterRun) -> str:
    """What a run does, in words."""
    kind = run.job_name.rpartition("_")[2]
    if kind in JOBS:
        return JOBS[kind]
    return _assets(sorted(key.path[-1] for key in run.asset_selection or ()))


def _assets(names: Sequence[str]) -> str:
    if not names:
        return "some assets"
    if len(names) > 8:
        return "everything"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
