"""The board of a project: its key metrics over versions and time, and what to look into."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel

from cv_pipeline.catalog.query import parse
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.board.alerts import (
    Alert,
    OpenInvestigation,
    evaluation_address,
)
from cv_pipeline.inspector.board.down import PartDown, parts_down
from cv_pipeline.inspector.board.history import (
    Recorded,
    key_metrics,
)
from cv_pipeline.inspector.board.runs import RunLine, runs_of
from cv_pipeline.inspector.board.slices import SliceNow, slices_now
from cv_pipeline.inspector.board.standing import standing
from cv_pipeline.inspector.board.training import training_chart
from cv_pipeline.inspector.charts import Chart, Sample, Tick, line_chart
from cv_pipeline.inspector.data.links import SHORT_DIGEST
from cv_pipeline.inspector.evaluation_page.selections import Selections
from cv_pipeline.inspector.images.asking import asker
from cv_pipeline.inspector.investigations.store import Investigations
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.project import Project
from cv_pipeline.provenance.event_log import Materialization

routes = Routes("Board")

SMALL_WIDTH, SMALL_HEIGHT = 340.0, 130.0
MOST_POINTS = 120


class Metric(BaseModel):
    """A key metric as it is now."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    before: float | None
    change: float | None
    dropped: bool


class Side(BaseModel):
    """The champion or the newest model, with its numbers."""

    title: str
    model: str
    evaluation: str
    at: datetime | None
    metrics: dict[str, float | None]


class Board(BaseModel):
    """What the board shows."""

    problem: str
    task: str
    metric: str
    by: Literal["version", "time"]
    evaluations: int
    newest: str | None
    newest_at: datetime | None
    metrics: list[Metric]
    main: Chart | None
    others: list[Chart]
    training: Chart | None
    slices: list[SliceNow]
    alerts: list[Alert]
    sides: list[Side]
    same_model: bool
    decision: str
    in_progress: list[RunLine]
    latest_runs: list[RunLine]
    images: int
    labelled: int
    down: list[PartDown]
    missing: list[str]


@routes.page("/p/{project}", template="pages/board.html", permission=Permission.VIEW)
def board(
    project: str,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    by: Annotated[Literal["version", "time"], Query()] = "version",
) -> Board:
    """Key metrics over versions and time, what to look into, and what is running."""
    now = standing(workspace, project)
    settings, history, champion = now.settings, list(now.history), now.champion
    if history:
        _make_ready(workspace, project, history[-1].digest)
    names = key_metrics(settings)
    shown = history[-MOST_POINTS:]
    sides = _sides(history, champion, names)
    return Board(
        problem=settings.charter.problem,
        task=settings.task,
        metric=settings.metric,
        by=by,
        evaluations=len(history),
        newest=history[-1].digest if history else None,
        newest_at=history[-1].at if history else None,
        metrics=_metrics(history, names),
        main=_chart(settings, shown, settings.metric, by=by) if history else None,
        others=[
            _chart(settings, shown, name, by=by, width=SMALL_WIDTH, height=SMALL_HEIGHT)
            for name in names[1:]
            if any(r.value(name) is not None for r in shown)
        ],
        training=training_chart(
            settings, now.model, now.epochs, now.drops, width=SMALL_WIDTH, height=SMALL_HEIGHT + 30
        ),
        slices=slices_now(
            project,
            history[-1],
            metric=settings.metric,
            declared=tuple(settings.evaluation.slice_queries),
        )
        if history
        else [],
        alerts=_with_investigations(workspace, project, access.user, now.alerts),
        sides=sides,
        same_model=len(sides) == 2 and sides[0].model == sides[1].model,
        decision=str(champion.metadata.get("reason", "")) if champion else "",
        in_progress=runs_of(workspace.instance, project, unfinished=True),
        latest_runs=[r for r in now.runs if r.finished][:5],
        images=now.images,
        labelled=now.labelled,
        down=parts_down(
            dagster_ui=workspace.dagster_ui,
            mlflow_ui=workspace.mlflow_ui,
            instance=workspace.instance,
        ),
        missing=now.missing,
    )


def _with_investigations(
    workspace: Workspace, project: str, user: str, found: list[Alert]
) -> list[Alert]:
    """The alerts with what somebody looks into already: a click goes on with that."""
    known = Investigations(workspace.database).open_of(
        project, user=user, alerts=[alert.key for alert in found]
    )
    for alert in found:
        if alert.key in known:
            one, elapsed, clicks = known[alert.key]
            alert.investigation = OpenInvestigation(
                id=one.id, title=one.title, elapsed_s=elapsed, clicks=clicks
            )
    return found


def _make_ready(workspace: Workspace, project: str, digest: str) -> None:
    """Read the newest evaluation meanwhile: the next click most likely asks for it."""

    def read() -> None:
        with suppress(CVPipelineError, OSError):  # its own page tells what is wrong with it
            made = workspace.evaluated(project, digest).evaluation
            split = Selections(project, made).condition(None)
            workspace.select(project, split)
            # and the lake as it was measured, of which slices are asked
            ask, _ = asker(workspace, project, made.record.dataset[:SHORT_DIGEST])
            ask(parse(split))

    def begin() -> threading.Thread:
        thread = threading.Thread(target=read, name="make ready")
        thread.start()
        return thread

    workspace.kept.get(("made ready", project, digest), begin)


def _metrics(history: list[Recorded], names: tuple[str, ...]) -> list[Metric]:
    if not history:
        return []
    newest = history[-1]
    before = history[-2] if len(history) > 1 else None
    found = []
    for name in names:
        value = newest.value(name)
        if value is None:
            continue
        low, high = newest.interval(name)
        earlier = before.value(name) if before else None
        found.append(
            Metric(
                name=name,
                value=value,
                low=low,
                high=high,
                before=earlier,
                change=None if earlier is None else value - earlier,
                dropped=name in newest.drops,
            )
        )
    return found


def _chart(
    settings: Project,
    history: list[Recorded],
    metric: str,
    *,
    by: Literal["version", "time"],
    width: float = 720.0,
    height: float = 240.0,
) -> Chart:
    """A metric over all evaluations; each point leads to its evaluation."""
    samples = []
    for recorded in history:
        low, high = recorded.interval(metric)
        value = recorded.value(metric)
        told = f"{metric} {value:.3f}" if value is not None else f"no {metric}"
        drop = recorded.drops.get(metric)
        if drop is not None:
            told += f", fell {drop.drop:.1%} from the {drop.against}"
        samples.append(
            Sample(
                x=recorded.at.timestamp() if by == "time" else recorded.position,
                value=value,
                words=f"Evaluation {recorded.position} of {recorded.at:%d %B %Y, %H:%M} UTC: {told}"
                f" · model {recorded.model[:8]} · dataset {recorded.dataset[:8]}",
                tick=f"{recorded.at:%d %b}" if by == "time" else f"{recorded.position}",
                low=low,
                high=high,
                href=evaluation_address(settings.name, recorded.digest),
                alert=drop is not None,
                marked=recorded is history[-1],
            )
        )
    return line_chart(
        [(metric, samples)],
        title=metric,
        words=f"{metric} of {len(samples)} evaluations, oldest first, with 95 % intervals where"
        " they are known.",
        threshold=_threshold(settings, metric),
        width=width,
        height=height,
        axis=_days(history) if by == "time" else None,
    )


def _days(history: list[Recorded]) -> list[Tick]:
    """Marks of a time axis: the first, the last and some days between, evenly spread."""
    first, last = history[0].at.timestamp(), history[-1].at.timestamp()
    if last - first < 1:
        return [Tick(at=first, text=f"{history[0].at:%d %b %H:%M}")]
    form = "%H:%M" if last - first < 2 * 86_400 else "%d %b"
    steps = [first + (last - first) * n / 4 for n in range(5)]
    return [Tick(at=at, text=f"{datetime.fromtimestamp(at, UTC):{form}}") for at in steps]


def _threshold(settings: Project, metric: str) -> tuple[float, str] | None:
    """The requirement on a metric of the whole test split, if there is one."""
    for one in settings.requirements:
        if one.metric == metric and one.label is None and one.slice is None:
            limit = one.at_least if one.at_least is not None else one.at_most
            if limit is not None:
                return limit, f"required: {one.words}"
    return None


def _sides(
    history: list[Recorded], champion: Materialization | None, names: tuple[str, ...]
) -> list[Side]:
    """The champion, where there is one, and the newest model."""
    digest = str(champion.metadata.get("champion", "none")) if champion else "none"
    found = []
    of_champion = [r for r in history if r.model == digest]
    if of_champion:
        found.append(_side("Champion", of_champion[-1], names))
    if history:
        found.append(_side("Newest model", history[-1], names))
    return found


def _side(title: str, recorded: Recorded, names: tuple[str, ...]) -> Side:
    return Side(
        title=title,
        model=recorded.model,
        evaluation=recorded.digest,
        at=recorded.at,
        metrics={name: recorded.value(name) for name in names},
    )
