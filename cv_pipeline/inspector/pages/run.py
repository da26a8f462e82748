"""One run, followed live; at its end the new numbers stand beside the old."""

from __future__ import annotations

from typing import Annotated

from dagster import DagsterRun
from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.errors import CorrectiveError
from cv_pipeline.inspector.access.access import Access, CurrentAccess
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.board.down import PartDown, parts_down
from cv_pipeline.inspector.board.runs import STOPPABLE, RunLine, find_run, line, projects_of
from cv_pipeline.inspector.charts import Chart, Sample, Tick, line_chart
from cv_pipeline.inspector.investigations.store import Investigations
from cv_pipeline.inspector.problems import Forbidden
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.run_page.follow import ASSETS, Follower
from cv_pipeline.inspector.run_page.investigation_link import InvestigationLink
from cv_pipeline.inspector.run_page.outcome import (
    Declared,
    Made,
    Next,
    Outcome,
    declared,
    made_in,
    next_actions,
    outcome,
)
from cv_pipeline.inspector.run_page.progress import Progress, Training
from cv_pipeline.inspector.workspace import CurrentWorkspace
from cv_pipeline.provenance.stopping import stop_run

routes = Routes("Runs")


class RunPage(BaseModel):
    """What the page of a run shows."""

    run: RunLine
    seconds: float | None
    share: float
    progress: Progress
    loss: Chart | None
    validation: Chart | None
    declared: Declared | None
    made: list[Made]
    outcome: Outcome | None
    next: list[Next]
    investigations: list[InvestigationLink]
    may_stop: bool
    down: list[PartDown]
    dagster: str


class StopRequest(BaseModel):
    """Why a run is to be stopped."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=2_000)] = ""


class RunStopped(BaseModel):
    """A run that was told to stop; it may take a while until it has."""

    run_id: str
    status: str


@routes.page("/p/{project}/runs/{run_id}", template="pages/run.html", permission=Permission.VIEW)
def run(project: str, run_id: str, workspace: CurrentWorkspace, access: CurrentAccess) -> RunPage:
    """A run as it is now; ask again to follow it."""
    record = find_run(workspace.instance, project, run_id)
    dagster_run = record.dagster_run
    shown = line(record)
    follower: Follower = workspace.kept.get(
        ("run", run_id, dagster_run.execution_plan_snapshot_id),
        lambda: Follower(workspace.instance, dagster_run),
    )
    told = follower.progress()
    ended = shown.finished
    found = outcome(workspace, project, run_id)
    about = declared(workspace, project, dict(dagster_run.tags))
    steps = told.steps
    return RunPage(
        run=shown,
        seconds=shown.seconds,
        share=_share(told, ended=ended) if steps else 0.0,
        progress=told,
        loss=_curve(told.training, "loss"),
        validation=_curve(told.training, "validation"),
        declared=about,
        made=made_in(workspace, project, run_id, ASSETS),
        outcome=found,
        next=next_actions(project, found, about) if ended else [],
        investigations=[
            InvestigationLink(id=i.id, title=i.title)
            for i in Investigations(workspace.database).of_runs(project, [run_id])[run_id]
        ],
        may_stop=_may_stop(access, dagster_run)
        and shown.status in {status.value for status in STOPPABLE},
        down=[]
        if ended
        else [
            part
            for part in parts_down(
                dagster_ui=workspace.dagster_ui,
                mlflow_ui=workspace.mlflow_ui,
                instance=workspace.instance,
            )
            if part.part.startswith("Dagster")
        ],
        dagster=f"{workspace.dagster_ui}/runs/{run_id}",
    )


@routes.api("POST", "/p/{project}/runs/{run_id}/stop", permission=Permission.LAUNCH, status=202)
def stop(
    project: str,
    run_id: str,
    asked: StopRequest,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    audit: CurrentAudit,
) -> RunStopped:
    """Stop a run that waits or goes on, whoever launched it; what it has made is kept.

    A run of several projects is stopped by who may launch in all of them. It is written down before
    it is done, so that no run was stopped by nobody.
    """
    record = find_run(workspace.instance, project, run_id)
    _require_all(access, record.dagster_run)
    found = line(record)
    if found.status not in {status.value for status in STOPPABLE}:
        said = "it has ended already" if found.finished else "it is being stopped already"
        raise CorrectiveError(
            f"Run {run_id[:8]} cannot be stopped: {said} ({found.status.lower()}).",
            do="Its page says what came of it.",
        )
    audit("run.stop", run_id, project=project, why=asked.reason, what=found.what, by=found.by)
    stop_run(run_id, workspace.dagster_ui)
    now = line(find_run(workspace.instance, project, run_id))
    return RunStopped(run_id=run_id, status=now.status)


def _may_stop(access: Access, run: DagsterRun) -> bool:
    return all(access.may(Permission.LAUNCH, name) for name in projects_of(run))


def _require_all(access: Access, run: DagsterRun) -> None:
    for name in sorted(projects_of(run)):
        if not access.may(Permission.LAUNCH, name):
            raise Forbidden(Permission.LAUNCH, name, role=access.role(name))


def _share(told: Progress, *, ended: bool) -> float:
    """How far a run is; the training counts as much as half of the steps."""
    if ended:
        return 1.0
    weights = [max(1, len(told.steps) // 2) if s.name == "trained_model" else 1 for s in told.steps]
    done = sum(
        weight * (1.0 if s.state in ("done", "skipped", "failed") else s.share or 0.0)
        for weight, s in zip(weights, told.steps, strict=True)
    )
    return done / sum(weights)


def _curve(training: Training | None, of: str) -> Chart | None:
    """Loss or validation metric of the epochs so far."""
    if training is None:
        return None
    name = "loss" if of == "loss" else training.metric
    samples = [
        Sample(
            x=e.epoch,
            value=e.loss if of == "loss" else e.value,
            words=f"Epoch {e.epoch}: {name} {e.loss if of == 'loss' else e.value}",
            tick=str(e.epoch),
        )
        for e in training.epochs
    ]
    if not any(s.value is not None for s in samples):
        return None
    return line_chart(
        [(name, samples)],
        title=name if of == "loss" else f"Validation {name}",
        words=f"{name} after each of {len(samples)} epochs so far.",
        unit=None if of == "loss" else (0.0, 1.0),
        width=340.0,
        height=140.0,
        axis=_epochs(training.of),
        across=(1.0, float(max(2, training.of))),
    )


def _epochs(of: int) -> list[Tick]:
    """Marks below a curve of epochs: some of them, the first and the last among them."""
    shown = sorted({1 + round(n * (of - 1) / 5) for n in range(6)})
    return [Tick(at=n, text=str(n)) for n in shown]
