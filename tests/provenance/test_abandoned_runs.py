"""A killed process's run is ended, a living one's is not."""

from __future__ import annotations

import subprocess
import sys

import dagster as dg
import psutil

from cv_pipeline.provenance.abandoned_runs import (
    HOST_TAG,
    PROCESS_TAG,
    end_abandoned_runs,
    sign_run,
)
from cv_pipeline.provenance.run_tags import actor_of, origin_of


@dg.op
def nothing() -> None: ...


@dg.job
def trivial() -> None:
    nothing()


def started_run(instance) -> dg.DagsterRun:
    run = instance.create_run_for_job(trivial)
    sign_run(instance, run)
    _report(instance, run, dg.DagsterEventType.PIPELINE_STARTING)
    _report(instance, run, dg.DagsterEventType.PIPELINE_START)
    return instance.get_run_by_id(run.run_id)


def _report(instance, run, event_type) -> None:
    event = dg.DagsterEvent(event_type.value, job_name=run.job_name, message="")
    instance.report_dagster_event(event, run_id=run.run_id)


def test_a_run_of_a_dead_process_is_ended(instance):
    run = started_run(instance)
    assert run.status == dg.DagsterRunStatus.STARTED
    assert end_abandoned_runs(instance) == []  # this process is alive
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    identity = f"{dead.pid}-{psutil.Process(dead.pid).create_time():.2f}"
    dead.wait()
    # the tag of another run, as a re-execution copies it, says nothing of this one
    instance.add_run_tags(run.run_id, {PROCESS_TAG: f"another-run@{identity}"})
    assert end_abandoned_runs(instance) == []
    instance.add_run_tags(run.run_id, {PROCESS_TAG: f"{run.run_id}@{identity}"})
    assert end_abandoned_runs(instance) == [run.run_id]
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE


def test_a_run_of_a_command_says_whose_it_is(instance, monkeypatch):
    monkeypatch.setenv("CV_ACTOR", "eve")
    run = started_run(instance)
    assert (actor_of(run), origin_of(run)) == ("eve", "command line")


def test_runs_of_other_hosts_are_left_alone(instance):
    run = started_run(instance)
    instance.add_run_tags(
        run.run_id, {PROCESS_TAG: f"{run.run_id}@1-0.00", HOST_TAG: "another-host"}
    )
    assert end_abandoned_runs(instance) == []
