"""``cvp run``: the same as ``dagster asset materialize``, for one project."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.project import find_project, resolved_source
from cv_pipeline.settings import dagster_home, projects_dir


def run(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    select: Annotated[
        str | None, typer.Option(help="Assets, as Dagster selects them; all of the project's.")
    ] = None,
    config_json: Annotated[
        str | None, typer.Option(help="Run configuration as JSON, as Dagster takes it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Materialize a project's assets, with progress; exit status 1 when a step or gate fails."""
    outcome = materialize(project, select, config_json=config_json, quiet=as_json)
    if as_json:
        print_json(outcome)
    require_success(project, outcome)
    if not as_json:
        console.print(f"done: run {outcome['run_id']}; see: cvp summary {project}", markup=False)


def materialize(
    project: str, select: str | None, *, config_json: str | None, quiet: bool
) -> dict[str, object]:
    """Run assets in a process of their own, to the end; its status and what it made.

    Args:
        project: name of the project.
        select: assets, as Dagster selects them; None for all of the project's.
        config_json: run configuration as JSON; None for none.
        quiet: whether what is printed goes to standard error, for standard output is for JSON.
    """
    dagster_home()
    resolved_source(find_project(project, projects_dir()))
    selection = _qualified(project, select) if select else f'key:"{project}/*"'
    command = [sys.executable, "-m", "dagster", "asset", "materialize"]
    command += ["-m", "cv_pipeline.definitions", "--select", selection]
    if config_json:
        command += ["--config-json", config_json]
    process = subprocess.Popen(command, stdout=sys.stderr if quiet else None)
    status = process.wait()
    return {**_outcome(project, process.pid), "exit_status": status}


def require_success(project: str, outcome: Mapping[str, object]) -> None:
    """Pass if a run succeeded.

    Raises:
        CVPipelineError: it did not.
    """
    if outcome["exit_status"] != 0:
        raise CVPipelineError(
            f"The run of {project} failed (run {outcome['run_id']}).",
            do="The lines above say which step and why; mend that and run it again.",
        )


def _qualified(project: str, select: str) -> str:
    """Asset names of the project as keys; anything else is Dagster's selection syntax."""
    names = select.split(",")
    if all(name.isidentifier() for name in names):
        return " or ".join(f'key:"{project}/{name}"' for name in names)
    return select


def _outcome(project: str, pid: int) -> dict[str, object]:
    """What the run of a process made, read from the event log."""
    from dagster import DagsterInstance

    from cv_pipeline.provenance import EventLog
    from cv_pipeline.provenance.abandoned_runs import signed_by

    with DagsterInstance.get() as instance:
        runs = [r for r in instance.get_runs(limit=20) if signed_by(r, pid)]
        if not runs:
            return {"run_id": None, "status": "NOT_STARTED", "versions": {}}
        log = EventLog(instance)
        made = {k: log.in_run(k, runs[0].run_id) for k in log.asset_keys(project)}
        versions = {k: e.version for k, e in made.items() if e is not None}
        return {
            "run_id": runs[0].run_id,
            "status": runs[0].status.value,
            "versions": versions,
        }
