"""Batches that are labelled: all of them, and one with what people decide about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.errors import nearest
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.assignments import assignments
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.labeling.reading import (
    batches_of,
    tool_link,
    workforce_in,
    workforce_state,
)
from cv_pipeline.inspector.labeling.rows import BatchRow, batch_row
from cv_pipeline.inspector.labeling.tasks import StateCount, TaskImage, images_page
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.labeling.batches import declared as labeling
from cv_pipeline.labeling.batches.declared import LabelingBatch
from cv_pipeline.labeling.batches.states import ALLOWED, DIFFICULTIES
from cv_pipeline.labeling.workload.workforce import Workforce

routes = Routes("Labelling")

SHOWN = 100
"""Batches on a page."""

Action = Literal["pause", "resume", "cancel"]
BatchName = Annotated[str, Field(max_length=63)]


class BatchList(BaseModel):
    """Batches, what is urgent first.

    Attributes:
        states: state to how many batches are in it.
        stuck: how many are stuck.
        state: the one that is shown; empty for all.
        total: how many are shown in all.
    """

    project: str
    batches: list[BatchRow]
    states: dict[str, int]
    stuck: int
    state: str
    offset: int
    total: int


class AnnotatorOfBatch(BaseModel):
    """Somebody who labelled in a batch, and how much."""

    name: str
    account: str
    labels: int
    seconds: float | None


class OneBatch(BaseModel):
    """A batch, and what may be done about it.

    Attributes:
        actions: what its state allows: pause, resume, cancel.
        assigned: accounts that it is assigned to.
        tool_url: where it is in the annotation tool; empty where it is not.
        query: the images of it, in the query language.
        difficulties: what its difficulty can be.
        images: a part of its images, in the order of the tool's tasks.
        states: what its images are: open, labelled, skipped, …, and how many are so.
        state: the one that is shown; empty for all.
        offset: how many images come before those.
        total: how many are shown in all.
    """

    project: str
    batch: BatchRow
    actions: list[Action]
    annotators: list[AnnotatorOfBatch]
    assigned: list[str]
    tool_url: str
    query: str
    difficulties: list[str]
    images: list[TaskImage]
    states: list[StateCount]
    state: str
    offset: int
    total: int


class StateChange(BaseModel):
    """What is to be done with a batch."""

    model_config = ConfigDict(extra="forbid")

    action: Action


class BatchSettings(BaseModel):
    """Settings of a batch; what is not given stays, and an empty deadline is none."""

    model_config = ConfigDict(extra="forbid")

    task_type: str | None = Field(None, max_length=63)
    difficulty: str | None = Field(None, max_length=16)
    queue: str | None = Field(None, max_length=63)
    owner: str | None = Field(None, max_length=63)
    overlap: int | None = Field(None, ge=1, le=50)
    priority: int | None = Field(None, ge=-1_000_000, le=1_000_000)
    deadline: datetime | Literal[""] | None = None
    pilot: bool | None = None


@routes.page(
    "/p/{project}/labeling/batches",
    template="pages/labeling_batches.html",
    permission=Permission.VIEW,
)
def labeling_batches(
    project: str,
    workspace: CurrentWorkspace,
    state: Annotated[str, Query(max_length=16)] = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> BatchList:
    """Batches that are labelled in parallel; ``state`` is one of them, or ``stuck``."""
    every = batches_of(workspace, project)
    states: dict[str, int] = {}
    for batch in every:
        states[batch.state] = states.get(batch.state, 0) + 1
    shown = [b for b in every if not state or b.state == state or (state == "stuck" and b.stuck)]
    return BatchList(
        project=project,
        batches=[batch_row(b) for b in shown[offset : offset + SHOWN]],
        states=states,
        stuck=sum(bool(b.stuck) for b in every),
        state=state,
        offset=offset,
        total=len(shown),
    )


@routes.page(
    "/p/{project}/labeling/batches/{name}",
    template="pages/labeling_batch.html",
    permission=Permission.VIEW,
)
def labeling_batch(
    project: str,
    name: str,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    state: Annotated[str, Query(max_length=16)] = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> OneBatch:
    """One batch: its state, progress, deadline, who works on it, why it is stuck, and its images.

    ``state`` limits the images: open, partly, labelled, skipped, review, quarantined, waiting or
    gone.
    """
    batch = _found(workspace, project, name)
    images = images_page(workspace, project, batch, state=state, offset=offset)
    assigned = assignments(workspace.database, project=project, batch=name)
    return OneBatch(
        project=project,
        batch=batch_row(batch),
        actions=_actions(batch),
        annotators=_annotators(
            workspace, project, name, timed=access.may(Permission.LAUNCH, project)
        ),
        assigned=[each.user for each in assigned],
        tool_url=tool_link(workspace, project, batch.tool_project),
        query=f"set_aside = '{name}'",
        difficulties=list(DIFFICULTIES),
        images=images.images,
        states=images.states,
        state=state,
        offset=offset,
        total=images.total,
    )


@routes.api("POST", "/p/{project}/labeling/batches/{name}/state", permission=Permission.REVIEW)
def change_batch_state(
    project: str,
    name: BatchName,
    change: StateChange,
    workspace: CurrentWorkspace,
    audit: CurrentAudit,
) -> BatchRow:
    """Pause a batch, let it go on, or cancel it for good."""
    catalog = workspace.lake(project).catalog
    _found(workspace, project, name)
    if change.action == "resume":
        labeling.resume(catalog, name)
    else:
        labeling.change_state(catalog, name, "paused" if change.action == "pause" else "cancelled")
    audit(f"batch.{change.action}", name, project=project)
    return batch_row(_found(workspace, project, name))


@routes.api("POST", "/p/{project}/labeling/batches/{name}/settings", permission=Permission.REVIEW)
def change_batch_settings(
    project: str,
    name: BatchName,
    settings: BatchSettings,
    workspace: CurrentWorkspace,
    audit: CurrentAudit,
) -> BatchRow:
    """Change what a batch's owner, deadline, overlap and so on are."""
    before = _found(workspace, project, name)
    given: dict[str, Any] = settings.model_dump(exclude_none=True)
    if "deadline" in given:
        at = given["deadline"]
        given["deadline"] = None if at == "" else at if at.tzinfo else at.replace(tzinfo=UTC)
    if not before.declared:
        declared = workspace.project(project)
        given = {"task_type": declared.task, "overlap": declared.labeling.overlap, **given}
    if given and labeling.change(workspace.lake(project).catalog, name, **given):
        audit("batch.settings", name, project=project, **_plain(given))
    return batch_row(_found(workspace, project, name))


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in given.items()}


def _found(workspace: Workspace, project: str, name: str) -> LabelingBatch:
    every = batches_of(workspace, project)
    for batch in every:
        if batch.name == name:
            return batch
    names = [batch.name for batch in every]
    raise NotFound(f"There is no batch {name!r} in {project}.", do=nearest(name, names))


def _actions(batch: LabelingBatch) -> list[Action]:
    after = ALLOWED[batch.state]
    actions: list[Action] = []
    if "paused" in after:
        actions.append("pause")
    if batch.state == "paused":
        actions.append("resume")
    if "cancelled" in after:
        actions.append("cancel")
    return actions


def _annotators(
    workspace: Workspace, project: str, name: str, *, timed: bool
) -> list[AnnotatorOfBatch]:
    """Who labelled a batch; how long each took is for who may launch."""
    people = workforce_in(workspace, project)
    accounts = {worker.name: worker.account for worker in people.workers}
    key = ("annotators of a batch", *workforce_state(workspace, project), name)
    rows = workspace.kept.get(key, lambda: _counted(people, name))
    return [
        AnnotatorOfBatch(
            name=row["annotator"],
            account=accounts.get(row["annotator"], ""),
            labels=row["count_all"],
            seconds=row["seconds_mean"] if timed else None,
        )
        for row in rows
    ]


def _counted(people: Workforce, name: str) -> list[dict[str, Any]]:
    """Who labelled a batch, with how many labels that count, and the mean of their times."""
    labels = people.labels.filter(pc.invert(people.labels["refused"]))  # as the pace is of these
    # as it counts: a tab that was left open is no work
    seconds = pa.array(people.pace.times.seconds, from_pandas=True)  # NaN is null
    made = labels.set_column(labels.schema.get_field_index("seconds"), "seconds", seconds)
    own = made.filter(pc.and_(pc.equal(made["batch"], name), made["stands"]))
    counted = own.group_by("annotator").aggregate([([], "count_all"), ("seconds", "mean")])
    ordered = counted.sort_by([("count_all", "descending"), ("annotator", "ascending")])
    found: list[dict[str, Any]] = ordered.to_pylist()
    return found
