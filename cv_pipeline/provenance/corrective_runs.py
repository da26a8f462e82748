"""Launches corrective runs as runs of the project's assets, and reads what came of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagster import DagsterInstance

from cv_pipeline.catalog.datalake.datalake import Datalake
from cv_pipeline.correction import CorrectiveRecord, declare, write_corrective
from cv_pipeline.correction.judgement import read_judgement
from cv_pipeline.errors import CorrectiveError
from cv_pipeline.project import find_project
from cv_pipeline.provenance.abandoned_runs import signed_by
from cv_pipeline.provenance.event_log import EventLog, Materialization
from cv_pipeline.provenance.references import find_event
from cv_pipeline.provenance.run_tags import ACTOR_TAG, COMMAND_LINE, ORIGIN_TAG
from cv_pipeline.provenance.webserver import webserver
from cv_pipeline.settings import cv_home, dagster_home, projects_dir, store_url
from cv_pipeline.storage import open_store
from cv_pipeline.storage.folders import fetch
from cv_pipeline.training import read_model_card

CORRECTIVE_TAG = "cv_pipeline/corrective"
DAGSTER_UI = "http://127.0.0.1:3000"
PATIENCE = 60
"""Seconds that a webserver is given to take a run."""
_TAG_LENGTH = 16
# the command that is to supersede it needs what would make Dagster ignore workspace.yaml
_QUIET = {"PYTHONWARNINGS": "ignore:Function `job_execute_command`"}


@dataclass(frozen=True)
class Corrective:
    """A corrective run.

    Attributes:
        record: what was declared.
        run_id: the Dagster run.
        status: its status; ``QUEUED`` or the like when it was not waited for.
        model: digest of the model; None when it was not waited for.
        emphasised: training images that were drawn more often; those that got labels since the
            record was declared are among them.
        comparison: the model and its parent on the same images, see ``ParentComparison``; None
            when it was not waited for.
    """

    record: CorrectiveRecord
    run_id: str
    status: str
    model: str | None = None
    emphasised: int = 0
    comparison: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "record": self.record.model_dump(mode="json"),
            "run_id": self.run_id,
            "status": self.status,
            "model": self.model,
            "emphasised": self.emphasised,
            "comparison": self.comparison,
        }


def corrective(
    project: str,
    query: str | None = None,
    *,
    weight: int | None = None,
    label: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    parent: str = "latest",
    reason: str = "",
    wait: bool = True,
    dagster_ui: str = DAGSTER_UI,
    quiet: bool = False,
) -> Corrective:
    """Retrain a model in a declared way, and compare the result with its parent.

    Args:
        project: name of the project.
        query: images that are added to the dataset, as far as they have labels by now, and drawn
            more often.
        weight: times that each of them is drawn in an epoch, 3 by default; 1 only adds them.
        label: class whose recall on those images it is judged by; by default all classes.
        parameters: parameters that differ from the parent's, such as ``{"training.epochs": 12}``.
        parent: digest or prefix of the model that it is to better; the latest by default.
        reason: why, in words.
        wait: run it now, in a process of its own; else hand it to the webserver's daemon.
        dagster_ui: address of the webserver.
        quiet: keep the run's progress off standard output.

    Raises:
        CorrectiveError: it changes nothing or cannot be launched, or the run failed.
        ProvenanceError: there is no such parent.
        QueryError: the query cannot be understood.
    """
    dagster_home()
    settings = find_project(project, projects_dir())
    store = open_store(store_url())
    with DagsterInstance.get() as instance:
        event = find_event(EventLog(instance), asset="trained_model", ref=f"{project}@{parent}")
    key = f"projects/{project}/models/{event.version}"
    folder = fetch(store, key, marker="model.json", cache=cv_home() / "cache")
    record = declare(
        Datalake.open(project, store=store),
        settings,
        parent=read_model_card(folder),
        query=query,
        weight=weight,
        label=label,
        changes=parameters,
        reason=reason,
    )
    write_corrective(store, record)
    if not wait:
        return Corrective(record, run_id=submit(record, dagster_ui), status="QUEUED")
    run_id, status, made = _run_here(record, quiet=quiet)
    if status != "SUCCESS" or made is None:
        raise CorrectiveError(
            f"The corrective run of {project} failed (run {run_id}).",
            do="The lines above say which step and why; mend that and run it again.",
        )
    emphasised = made.metadata.get("emphasised") or {"images": 0}
    return Corrective(
        record,
        run_id=run_id,
        status=status,
        model=made.version,
        emphasised=int(emphasised["images"]),
        comparison=read_judgement(store, project, corrective=record.digest, model=made.version),
    )


def _job(record: CorrectiveRecord) -> str:
    return f"{record.project}_corrective"


def _config(record: CorrectiveRecord) -> dict[str, Any]:
    """The run's configuration: nothing but which record it follows."""
    by_record = {"config": {"corrective": record.digest}}
    return {"ops": {"dataset_candidate": by_record, "trained_model": by_record}}


def _tags(record: CorrectiveRecord, origin: str) -> dict[str, str]:
    return {
        CORRECTIVE_TAG: record.digest[:_TAG_LENGTH],
        "cv_pipeline/reason": "corrective",
        ACTOR_TAG: record.actor,
        ORIGIN_TAG: origin,
    }


def _run_here(record: CorrectiveRecord, *, quiet: bool) -> tuple[str, str, Materialization | None]:
    """Run to the end in a process; id and status of the run, and the model that it made."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        json.dump(_config(record), file)  # which is YAML
        file.flush()
        command = [sys.executable, "-m", "dagster", "job", "execute"]
        command += ["-m", "cv_pipeline.definitions", "-j", _job(record), "-c", file.name]
        command += ["--tags", json.dumps(_tags(record, COMMAND_LINE))]
        process = subprocess.Popen(
            command, stdout=sys.stderr if quiet else None, env={**os.environ, **_QUIET}
        )
        process.wait()
    with DagsterInstance.get() as instance:
        runs = [r for r in instance.get_runs(limit=20) if signed_by(r, process.pid)]
        if not runs:
            return "none", "NOT_STARTED", None
        made = EventLog(instance).in_run(f"{record.project}/trained_model", runs[0].run_id)
        return runs[0].run_id, runs[0].status.value, made


def submit(record: CorrectiveRecord, address: str, *, origin: str = COMMAND_LINE) -> str:
    """Hand the run of a stored record to a webserver, whose daemon launches it; returns its id.

    Args:
        record: what was declared.
        address: of the webserver.
        origin: from where it is launched, as the list of runs says it.

    Raises:
        CorrectiveError: no webserver took it.
    """
    from dagster_graphql import DagsterGraphQLClientError

    try:
        run_id: str = webserver(address, patience=PATIENCE).submit_job_execution(
            _job(record), run_config=_config(record), tags=_tags(record, origin)
        )
    except (DagsterGraphQLClientError, OSError, ValueError) as error:  # ValueError: no address
        raise CorrectiveError(
            f"The corrective run was declared ({record.digest[:16]}), but no webserver at"
            f" {address} took it: {error}.",
            do="Start it with: cvp ui, or leave out --no-wait to run it here and now.",
        ) from error
    return run_id
