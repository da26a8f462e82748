"""Ends runs whose process was killed, so that they hold no pool slot for ever.

Every run is signed with the host and process that executes it. A signed run that is still "started"
although that process is gone is marked as failed. Runs of other hosts are left alone.
"""

from __future__ import annotations

import platform

import psutil
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

HOST_TAG = "cv_pipeline/host"
PROCESS_TAG = "cv_pipeline/process"
UNFINISHED = [DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def sign_run(instance: DagsterInstance, run: DagsterRun) -> None:
    """Record which process of which host executes a run."""
    tags = {HOST_TAG: platform.node(), PROCESS_TAG: _identity(psutil.Process())}
    if any(run.tags.get(name) != value for name, value in tags.items()):
        instance.add_run_tags(run.run_id, tags)


def end_abandoned_runs(instance: DagsterInstance) -> list[str]:
    """Mark this host's runs whose process is gone as failed, and free their pool slots.

    Returns:
        The ids of the runs that were ended.
    """
    ended = []
    here = RunsFilter(statuses=UNFINISHED, tags={HOST_TAG: platform.node()})
    for run in instance.get_runs(here):
        if not _is_alive(run.tags.get(PROCESS_TAG, "")):
            instance.report_run_failed(run, "The process that executed this run was killed.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.run_id)
    return ended


def _identity(process: psutil.Process) -> str:
    # the start time tells a process from a later one with the same number
    return f"{process.pid}-{process.create_time():.2f}"


def _is_alive(identity: str) -> bool:
    try:
        return _identity(psutil.Process(int(identity.split("-")[0]))) == identity
    except (psutil.NoSuchProcess, ValueError):
        return False
