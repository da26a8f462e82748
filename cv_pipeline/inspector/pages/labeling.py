"""What waits to be labelled and until when, who labels, and what a label costs."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.assignments import share_batches
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.board.runs import JOBS, runs_of
from cv_pipeline.inspector.charts import Chart
from cv_pipeline.inspector.labeling.reading import (
    batches_of,
    cost_of,
    estimate_of,
    workforce_in,
)
from cv_pipeline.inspector.labeling.rows import (
    BatchRow,
    ComparedRow,
    CostRow,
    batch_row,
    compared_rows,
    cost_chart,
    cost_row,
    cost_rows,
)
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.labeling.exchange.imported import pulled_and_not_imported
from cv_pipeline.labeling.tool.connection import tool_url
from cv_pipeline.labeling.workload.assignment import accounts_by_batch, apply_plan, plan_work
from cv_pipeline.labeling.workload.estimate import Estimate
from cv_pipeline.labeling.workload.workforce import Workforce
from cv_pipeline.provenance.launching import launch_job
from cv_pipeline.provenance.run_tags import INSPECTOR

routes = Routes("Labelling")

_URGENT = 12
_LEVELS = ("easy", "medium", "hard")
_MOST_ROWS = 60


class WaitingRow(BaseModel):
    """Labels that wait, of one difficulty."""

    difficulty: str
    images: int
    labels: int
    hours: float


class ForecastRow(BaseModel):
    """When what waits will be done with so many annotators; no end is none within 500 years."""

    times: int
    annotators: int
    labels_per_week: float
    end: datetime | None
    earliest: datetime | None
    latest: datetime | None


class QueueRow(BaseModel):
    """A queue and what waits in it."""

    name: str
    batches: int
    stuck: int
    images: int
    labels: int


class AnnotatorRow(BaseModel):
    """Somebody who labels; ``gets`` is the hardest that they get."""

    name: str
    account: str
    role: str
    absent: bool
    skill: float | None
    gold_images: int
    gets: str
    seconds: float
    labels: int


class LabelQueue(BaseModel):
    """What waits to be labelled, until when, and who does it.

    Attributes:
        tool: whether the project has an annotation tool that can be reached.
        going: how many batches are neither done nor cancelled.
        batches: the most urgent of them.
        more: how many batches there are beside those.
        stuck: those of them that are stuck, and why.
        examined: whether annotators are examined on gold images.
        annotators: everybody who labels; nobody for who may not launch, for skill and pace are of
            persons.
        by_person: whether annotators are told.
        not_imported: states of annotations that were pulled and are not imported yet, so that they
            make no labels here.
        importing: the run that imports them now; empty for none.
    """

    project: str
    tool: bool
    not_imported: int
    importing: str
    images: int
    labels: int
    hours: float
    paused: int
    waiting: list[WaitingRow]
    forecasts: list[ForecastRow]
    basis: str
    cost: float | None
    currency: str
    queues: list[QueueRow]
    going: int
    batches: list[BatchRow]
    more: int
    stuck: list[BatchRow]
    annotators: list[AnnotatorRow]
    by_person: bool
    examined: bool


class CostPage(BaseModel):
    """What a label costs.

    Attributes:
        unit: of the figures per label: the currency, or s where there are no prices.
        ordered_by: time, or image where no times are known.
        lead_times: what was done to the lead times, as a sentence.
        annotators: costs by annotator; none for who may not launch.
        by_person: whether these are told.
    """

    project: str
    unit: str
    currency: str
    every: CostRow | None
    chart: Chart | None
    step: int
    ordered_by: str
    lead_times: str
    unpriced: list[str]
    points: list[CostRow]
    weeks: list[CostRow]
    batches: list[CostRow]
    roles: list[CostRow]
    annotators: list[CostRow]
    by_person: bool
    prelabels: list[ComparedRow]
    arms: list[ComparedRow]


class AssignWork(BaseModel):
    """How work is given out: ``anew`` gives out again what is assigned already."""

    model_config = ConfigDict(extra="forbid")

    anew: bool = False


class ImportLaunched(BaseModel):
    """The run that imports what was pulled, and whether it was launched now or went on already."""

    run_id: str
    launched: bool


class LoadRow(BaseModel):
    """What somebody has to do."""

    name: str
    account: str
    labels: int
    hours: float
    weeks: float


class LeftRow(BaseModel):
    """Labels of a batch that nobody could be given, and why."""

    batch: str
    labels: int
    why: str


class AssignedWork(BaseModel):
    """Work as it was given out."""

    labels: int
    changed: int
    annotators: list[LoadRow]
    unassigned: list[LeftRow]


@routes.page("/p/{project}/labeling", template="pages/labeling.html", permission=Permission.VIEW)
def label_queue(project: str, workspace: CurrentWorkspace, access: CurrentAccess) -> LabelQueue:
    """What waits to be labelled, when it will be done, and who does it."""
    every = batches_of(workspace, project)
    going = [b for b in every if b.state not in ("done", "cancelled")]
    found = estimate_of(workspace, project)
    people = workforce_in(workspace, project)
    by_person = access.may(Permission.LAUNCH, project)
    queues = sorted({b.queue for b in going})
    return LabelQueue(
        project=project,
        tool=tool_url(workspace.project(project)) is not None,
        not_imported=pulled_and_not_imported(workspace.lake(project).catalog),
        importing=_importing(workspace, project),
        images=found.images,
        labels=found.labels,
        hours=found.hours,
        paused=found.paused,
        waiting=[WaitingRow(**vars(w)) for w in found.waiting],
        forecasts=_forecasts(found),
        basis=found.basis,
        cost=found.cost,
        currency=found.currency,
        queues=[
            QueueRow(
                name=name,
                batches=sum(b.queue == name for b in going),
                stuck=sum(b.queue == name and bool(b.stuck) for b in going),
                images=sum(b.images - b.labelled for b in going if b.queue == name),
                labels=sum(b.open_labels for b in going if b.queue == name),
            )
            for name in queues
        ],
        going=len(going),
        batches=[batch_row(b) for b in going[:_URGENT]],
        more=max(len(every) - min(len(going), _URGENT), 0),
        stuck=[batch_row(b) for b in going if b.stuck],
        annotators=_annotators(people) if by_person else [],
        by_person=by_person,
        examined=len(people.gold) > 0,
    )


@routes.page(
    "/p/{project}/labeling/cost", template="pages/labeling_cost.html", permission=Permission.VIEW
)
def labeling_cost(project: str, workspace: CurrentWorkspace, access: CurrentAccess) -> CostPage:
    """What a label costs: over time, with and without pre-labels, and by sampling algorithm."""
    cost = cost_of(workspace, project)
    by_person = access.may(Permission.LAUNCH, project)
    if cost is None:
        return CostPage(
            project=project,
            unit="s",
            currency="",
            every=None,
            chart=None,
            step=0,
            ordered_by="",
            lead_times="",
            unpriced=[],
            points=[],
            weeks=[],
            batches=[],
            roles=[],
            annotators=[],
            by_person=by_person,
            prelabels=[],
            arms=[],
        )
    without = None if cost.prelabels is None else cost.prelabels[0]
    with_them = () if cost.prelabels is None else (cost.prelabels[1],)
    return CostPage(
        project=project,
        unit=cost.unit,
        currency=cost.currency,
        every=cost_row(cost, cost.every),
        chart=cost_chart(cost),
        step=cost.step,
        ordered_by=cost.ordered_by,
        lead_times=cost.times.words,
        unpriced=list(cost.unpriced),
        points=cost_rows(cost, cost.points),
        weeks=cost_rows(cost, cost.weeks[-_MOST_ROWS:]),
        batches=cost_rows(cost, cost.batches[-_MOST_ROWS:]),
        roles=cost_rows(cost, cost.roles),
        annotators=cost_rows(cost, cost.annotators[:_MOST_ROWS]) if by_person else [],
        by_person=by_person,
        prelabels=compared_rows(cost, without, with_them),
        arms=compared_rows(cost, cost.control, cost.arms),
    )


@routes.api("POST", "/p/{project}/labeling/import", permission=Permission.LAUNCH, status=202)
def import_pulled(
    project: str, workspace: CurrentWorkspace, access: CurrentAccess, audit: CurrentAudit
) -> ImportLaunched:
    """Launch the import of what was pulled; where one goes on already, that one is told.

    It pulls what is new first. It is written down before it is launched.
    """
    name = workspace.project(project).name
    going = _importing(workspace, name)
    if going:
        return ImportLaunched(run_id=going, launched=False)
    job = f"{name}_annotations"
    audit("labeling.import", name, project=name, job=job)
    run_id = launch_job(job, workspace.dagster_ui, actor=access.user, origin=INSPECTOR)
    return ImportLaunched(run_id=run_id, launched=True)


@routes.api("POST", "/p/{project}/labeling/assign", permission=Permission.REVIEW)
def assign_work(
    project: str,
    asked: AssignWork,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    audit: CurrentAudit,
) -> AssignedWork:
    """Spread the open tasks of all batches over annotators, by skill and load."""
    catalog = workspace.lake(project).catalog
    people = workforce_in(workspace, project)
    plan = plan_work(
        catalog, workspace.project(project).labeling, anew=asked.anew, workforce=people
    )
    changed = apply_plan(catalog, plan)
    shared = share_batches(
        workspace.database,
        project=project,
        shared=accounts_by_batch(plan),
        known={a.account for a in workspace.project(project).labeling.annotators.values()},
        actor=access.user,
    )
    audit(
        "labeling.assign",
        project,
        project=project,
        anew=asked.anew,
        labels=plan.labels,
        changed=changed,
        batches=shared,
    )
    return AssignedWork(
        labels=plan.labels,
        changed=changed,
        annotators=[
            LoadRow(
                name=load.worker.name,
                account=load.worker.account,
                labels=load.labels,
                hours=load.hours,
                weeks=load.weeks,
            )
            for load in plan.loads
        ],
        unassigned=[LeftRow(**vars(one)) for one in plan.unassigned],
    )


def _importing(workspace: Workspace, project: str) -> str:
    """The unfinished run that imports what annotators did; empty for none."""
    going = runs_of(workspace.instance, project, unfinished=True)
    return next((run.run_id for run in going if run.what == JOBS["annotations"]), "")


def _forecasts(found: Estimate) -> list[ForecastRow]:
    return [ForecastRow(**vars(one)) for one in found.forecasts]


def _annotators(people: Workforce) -> list[AnnotatorRow]:
    return [
        AnnotatorRow(
            name=worker.name,
            account=worker.account,
            role=worker.role,
            absent=worker.absent,
            skill=worker.skill,
            gold_images=worker.gold_images,
            gets=_LEVELS[worker.level],
            seconds=worker.seconds[1],
            labels=worker.labels,
        )
        for worker in people.workers[:_MOST_ROWS]
    ]
