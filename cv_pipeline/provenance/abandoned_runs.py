"""Ends runs whose process was killed, so that they hold no pool slot for ever.

Every run is signed, as it starts, with the host and process that executes it. A signed run that is
still "started" although that process is gone is marked as failed. Runs of other hosts are left
alone.
"""

from __future__ import annotations

import platform

import psutil
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from cv_pipeline.actor import current_actor
from cv_pipeline.provenance.run_tags import ACTOR_TAG, COMMAND_LINE, ORIGIN_TAG, origin_of

HOST_TAG = "cv_pipeline/host"
PROCESS_TAG = "cv_pipeline/process"
UNFINISHED = [DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def sign_run(instance: DagsterInstance, run: DagsterRun) -> None:
    """Record which process of which host executes a run, and who it is that ran a command."""
    process = psutil.Process()
    signature = f"{run.run_id}@{process.pid}-{process.create_time():.2f}"
    tags = {HOST_TAG: platform.node(), PROCESS_TAG: signature}
    if origin_of(run) == COMMAND_LINE and ACTOR_TAG not in run.tags:
        tags |= {ACTOR_TAG: current_actor(), ORIGIN_TAG: COMMAND_LINE}
    instance.add_run_tags(run.run_id, tags)


def end_abandoned_runs(instance: DagsterInstance) -> list[str]:
    """Mark this host's runs whose process is gone as failed, and free their pool slots.

    Returns:
        The ids of the runs that were ended.
    """
    ended = []
    here = RunsFilter(statuses=UNFINISHED, tags={HOST_TAG: platform.node()})
    for run in instance.get_runs(here):
        # a re-execution copies its original's tags, which say nothing of its own process
        signer, _, process = run.tags.get(PROCESS_TAG, "").partition("@")
        if signer == run.run_id and not _is_alive(process):
            instance.report_run_failed(run, "The process that executed this run was killed.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.run_id)
    return ended


def signed_by(run: DagsterRun, pid: int) -> bool:
    """Whether a run was executed by the process with this number."""
    return run.tags.get(PROCESS_TAG, "").startswith(f"{run.run_id}@{pid}-")


def _is_alive(process: str) -> bool:
    # the start time tells a process from a later one with the same number
    pid, _, started = process.partition("-")
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" == started
    except (psutil.NoSuchProcess, ValueError):
        return False
