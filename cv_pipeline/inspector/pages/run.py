"""One run, followed live; at its end the new numbers stand beside the old."""

from __future__ import annotations

import time

from pydantic import BaseModel

from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.board.down import PartDown, parts_down
from cv_pipeline.inspector.board.runs import RunLine, find_run, line
from cv_pipeline.inspector.charts import Chart, Sample, Tick, line_chart
from cv_pipeline.inspector.investigations.store import Investigations
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.run_page.follow import ASSETS, Follower
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

routes = Routes("Runs")


class InvestigationLink(BaseModel):
    """An investigation that a run was launched from."""

    id: str
    title: str


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
    down: list[PartDown]
    dagster: str


@routes.page("/p/{project}/runs/{run_id}", template="pages/run.html", permission=Permission.VIEW)
def run(project: str, run_id: str, workspace: CurrentWorkspace) -> RunPage:
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
    started = record.start_time
    return RunPage(
        run=shown,
        seconds=None if started is None else round((record.end_time or time.time()) - started, 1),
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
            for i in Investigations(workspace.database).of_run(project, run_id)
        ],
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
