"""Investigations: kept, shared by address, resumed, commented on; and the time they took."""

from __future__ import annotations

from datetime import datetime
from statistics import median
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.board.runs import RunLine, find_run, line
from cv_pipeline.inspector.charts import Chart, Sample, line_chart
from cv_pipeline.inspector.investigations.steps import Step, Took, kind_of, measure
from cv_pipeline.inspector.investigations.store import Investigation, Investigations
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace

routes = Routes("Investigations")

MOST = 100
CLAIMED_SWITCH_MINUTES, CLAIMED_CONTEXT_MINUTES = 2, 15
"""What a switch of tools and the context that it loses are said to cost; claimed, not measured."""
Id = Annotated[str, Path(description="Name of the investigation, 24 hexadecimal digits.")]


class InvestigationLine(BaseModel):
    """An investigation in the list."""

    id: str
    title: str
    began_by: str
    began_at: datetime
    closed: bool
    conclusion: str
    steps: int
    runs: int
    took: Took


class InvestigationList(BaseModel):
    """The newest investigations, and what they took over time.

    Attributes:
        investigations: the newest first.
        idle: how many are not listed, for nothing was done in them.
        trend: seconds until images and run were there, oldest first; null without any.
        images_s: median of the seconds until the images.
        images_clicks: median of the clicks until then.
        run_s: median of the seconds until the run.
        run_clicks: median of the clicks until then.
        measured: how many came to images.
        claimed_switch_minutes: what a switch of tools is said to cost; not measured here.
        claimed_context_minutes: what the lost context is said to cost; not measured here.
    """

    investigations: list[InvestigationLine]
    idle: int
    trend: Chart | None
    images_s: float | None
    images_clicks: float | None
    run_s: float | None
    run_clicks: float | None
    measured: int
    claimed_switch_minutes: int
    claimed_context_minutes: int


class WalkStep(BaseModel):
    """A step of an investigation."""

    kind: str
    title: str
    address: str
    user: str
    at: datetime
    elapsed_s: float
    clicks: int
    machine_s: float


class CommentLine(BaseModel):
    """What somebody said."""

    user: str
    at: datetime
    text: str


class InvestigationPage(BaseModel):
    """One investigation."""

    id: str
    title: str
    alert: str
    began_by: str
    began_at: datetime
    conclusion: str
    closed_by: str | None
    closed_at: datetime | None
    took: Took
    steps: list[WalkStep]
    runs: list[RunLine]
    comments: list[CommentLine]
    resume: str
    elapsed_s: float
    may_comment: bool


class StepMade(BaseModel):
    """A page that was come to, as the page itself measured it."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["alert"] | None = None
    address: Annotated[str, Field(max_length=8_000, pattern=r"^/p/")]
    title: Annotated[str, Field(max_length=300)] = ""
    elapsed_s: Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)]
    clicks: Annotated[int, Field(ge=0, le=1_000_000)]
    machine_s: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] = 0.0


class StepsMade(BaseModel):
    """Steps of an investigation, which begins with the first."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=300)]
    alert: Annotated[str, Field(max_length=300)] = ""
    steps: Annotated[list[StepMade], Field(min_length=1, max_length=50)]


class CommentMade(BaseModel):
    """What is to be said of an investigation."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=5_000)]


class InvestigationChange(BaseModel):
    """What is to become of an investigation; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    conclusion: Annotated[str, Field(max_length=5_000)] | None = None
    closed: bool | None = None


class Kept(BaseModel):
    """What was kept."""

    id: str


@routes.page(
    "/p/{project}/investigations",
    template="pages/investigations.html",
    permission=Permission.VIEW,
)
def investigations(
    project: str, workspace: CurrentWorkspace, idle: Annotated[bool, Query()] = False
) -> InvestigationList:
    """The newest investigations, and the seconds and clicks that they took.

    ``idle`` lists those too in which nothing was done after the click on the alert.
    """
    store = Investigations(workspace.database)
    name = workspace.project(project).name
    newest = store.newest(name, limit=MOST, idle=idle)
    ids = [i.id for i in newest]
    steps, runs = store.steps(ids), store.runs(ids)
    lines = [_line(i, [s for _, _, s in steps[i.id]], runs[i.id]) for i in newest]
    took = [one.took for one in lines]
    return InvestigationList(
        investigations=lines,
        idle=0 if idle else store.idle(name),
        trend=_trend(project, lines),
        images_s=_median([t.images_s for t in took]),
        images_clicks=_median([t.images_clicks for t in took]),
        run_s=_median([t.run_s for t in took]),
        run_clicks=_median([t.run_clicks for t in took]),
        measured=sum(t.images_s is not None for t in took),
        claimed_switch_minutes=CLAIMED_SWITCH_MINUTES,
        claimed_context_minutes=CLAIMED_CONTEXT_MINUTES,
    )


@routes.page(
    "/p/{project}/investigations/{investigation}",
    template="pages/investigation.html",
    permission=Permission.VIEW,
)
def investigation(
    project: str, investigation: Id, workspace: CurrentWorkspace, access: CurrentAccess
) -> InvestigationPage:
    """One investigation: its steps, its runs and what was said of it."""
    store = Investigations(workspace.database)
    found = store.get(project, investigation)
    steps = store.steps([found.id])[found.id]
    launched = store.runs([found.id])[found.id]
    took = measure([step for _, _, step in steps], launched)
    here = f"/p/{project}/investigations"
    looked_at = [
        step.address
        for _, _, step in steps
        if step.kind != "alert" and not step.address.startswith(here)
    ]
    return InvestigationPage(
        id=found.id,
        title=found.title,
        alert=found.alert,
        began_by=found.began_by,
        began_at=found.began_at,
        conclusion=found.conclusion,
        closed_by=found.closed_by,
        closed_at=found.closed_at,
        took=took,
        steps=[WalkStep(user=user, at=at, **vars(step)) for user, at, step in steps],
        runs=_runs(workspace, project, launched),
        comments=[CommentLine(user=c.user, at=c.at, text=c.text) for c in store.comments(found.id)],
        resume=looked_at[-1] if looked_at else f"/p/{project}",
        elapsed_s=max((step.elapsed_s for _, _, step in steps), default=0.0),
        may_comment=access.may(Permission.COMMENT, project),
    )


@routes.api(
    "POST",
    "/p/{project}/investigations/{investigation}/steps",
    permission=Permission.COMMENT,
    status=201,
)
def add_steps(
    project: str,
    investigation: Id,
    made: StepsMade,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
) -> Kept:
    """Add steps to an investigation, which begins with the first."""
    workspace.project(project)
    store = Investigations(workspace.database)
    store.require_open_to(project, investigation)
    own = f"/p/{project}"
    steps = [
        Step(
            kind=step.kind or kind_of(step.address),
            address=step.address if _within(step.address, own) else own,
            title=step.title,
            elapsed_s=step.elapsed_s,
            clicks=step.clicks,
            machine_s=step.machine_s,
        )
        for step in made.steps
    ]
    store.add_steps(
        project, investigation, steps, user=access.user, title=made.title, alert=made.alert
    )
    return Kept(id=investigation)


@routes.api(
    "POST",
    "/p/{project}/investigations/{investigation}/comments",
    permission=Permission.COMMENT,
    status=201,
)
def comment(
    project: str,
    investigation: Id,
    made: CommentMade,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    audit: CurrentAudit,
) -> Kept:
    """Say something of an investigation."""
    Investigations(workspace.database).comment(
        project, investigation, user=access.user, text=made.text
    )
    audit("investigation.comment", investigation, project=project)
    return Kept(id=investigation)


@routes.api("PATCH", "/p/{project}/investigations/{investigation}", permission=Permission.COMMENT)
def change(
    project: str,
    investigation: Id,
    made: InvestigationChange,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    audit: CurrentAudit,
) -> Kept:
    """Give an investigation another title or a conclusion, close it or open it again."""
    Investigations(workspace.database).change(
        project,
        investigation,
        user=access.user,
        title=made.title,
        conclusion=made.conclusion,
        closed=made.closed,
    )
    audit(
        "investigation.change", investigation, project=project, **made.model_dump(exclude_none=True)
    )
    return Kept(id=investigation)


def _within(address: str, own: str) -> bool:
    """Whether an address is of the project itself."""
    return address == own or address.startswith((f"{own}/", f"{own}?"))


def _line(found: Investigation, steps: list[Step], runs: list[str]) -> InvestigationLine:
    return InvestigationLine(
        id=found.id,
        title=found.title,
        began_by=found.began_by,
        began_at=found.began_at,
        closed=found.closed_at is not None,
        conclusion=found.conclusion,
        steps=len(steps),
        runs=len(runs),
        took=measure(steps, runs),
    )


def _median(numbers: list[float | None] | list[int | None]) -> float | None:
    known = [n for n in numbers if n is not None]
    return float(median(known)) if known else None


def _trend(project: str, newest: list[InvestigationLine]) -> Chart | None:
    """Seconds until images and run were there, by when the investigation began."""
    oldest = [i for i in reversed(newest) if i.took.images_s is not None]
    if not oldest:
        return None

    def samples(name: str, of: str) -> list[Sample]:
        return [
            Sample(
                x=n,
                value=(value := getattr(i.took, of)),
                words=f"{i.title}: {value:.0f} s to the {name}" if value is not None else "",
                tick=f"{i.began_at:%d %b}",
                href=f"/p/{project}/investigations/{i.id}",
            )
            for n, i in enumerate(oldest, start=1)
        ]

    lines = [("to the images", samples("images", "images_s"))]
    if any(i.took.run_s is not None for i in oldest):
        lines.append(("to the run", samples("run", "run_s")))
    return line_chart(
        lines,
        title="Seconds from the alert",
        words=f"Seconds from the alert to the images and to the run of {len(oldest)}"
        " investigations, oldest first.",
        unit=None,
        width=1000.0,
        height=200.0,
        zero=True,
    )


def _runs(workspace: Workspace, project: str, ids: list[str]) -> list[RunLine]:
    found = []
    for run_id in ids:
        try:
            found.append(line(find_run(workspace.instance, project, run_id)))
        except NotFound:  # deleted in Dagster, which nobody should do
            continue
    return found
