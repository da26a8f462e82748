"""What is assigned to whom: the page of an annotator, and the assigning itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.catalog.datalake.image_batches import ImageBatch, list_batches
from cv_pipeline.errors import nearest
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.accounts import Account
from cv_pipeline.inspector.access.assignments import assign, assignments
from cv_pipeline.inspector.access.front_door import CurrentFrontDoor, FrontDoor
from cv_pipeline.inspector.access.roles import ALLOWED, EVERY_PROJECT, Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.labeling.reading import (
    batches_of,
    names_of,
    share_of,
    tool_link,
    workforce_in,
)
from cv_pipeline.inspector.labeling.tasks import (
    ImagePage,
    NextTask,
    StateCount,
    TaskImage,
    images_page,
    tasks_next,
)
from cv_pipeline.inspector.problems import NotFound, RequestError
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.labeling.batches.declared import LabelingBatch
from cv_pipeline.labeling.batches.states import said
from cv_pipeline.labeling.workload.examination import examination_of

routes = Routes("Assigned images")


class CannotAssign(RequestError):
    """A batch cannot be assigned like this."""

    status = 422


class AssignedBatch(BaseModel):
    """A batch, and who has it.

    Attributes:
        name: of the batch.
        purpose: label or relabel.
        reason: why it was set aside.
        images: how many there are.
        labelled: how many of them are labelled by now.
        at: when it was set aside.
        assignees: names of the accounts that have it; only for who may assign.
        state: where it stands in the annotation tool, in words.
        deadline: when it is to be done.
        made: labels that whoever asks made in it.
        own: labels that are meant for whoever asks and are not made yet.
        tool_url: where it is labelled; empty where it is not.
    """

    name: str
    purpose: str
    reason: str
    images: int
    labelled: int
    at: datetime
    assignees: list[str]
    state: str
    deadline: datetime | None
    made: int
    own: int
    tool_url: str


class GoldExam(BaseModel):
    """How far whoever asks is from being given more than pilot rounds, easy and gold images.

    Attributes:
        images: gold images that they labelled and whose truth is not their own.
        least: how many it takes.
        gold: gold images of the project.
        at: accuracy or F1 that it takes on them. Their own is shown to who may launch runs alone.
    """

    images: int
    least: int
    gold: int
    at: float


class Assigned(BaseModel):
    """Batches that are assigned, and the images of one of them.

    Attributes:
        batches: those of whoever asks; all of them for who may assign.
        batch: name of the one whose images follow; empty where there is none.
        images: a part of its images, those for whoever asks first.
        states: what its images are: for you, open, labelled, …, and how many are so.
        state: the one that is shown; empty for all.
        offset: how many images come before those.
        total: how many are shown in all.
        tasks: what whoever asks labels next, over all batches, in order; nothing for who assigns
            and is no annotator.
        tasks_total: how many of these there are in all.
        annotator: pseudonyms of whoever asks; empty where project.yaml does not say.
        exam: how far they are, where nothing is left for them and they are not qualified.
        may_assign: whether whoever asks may assign batches.
        people: accounts that a batch can be assigned to; only for who may assign.
    """

    batches: list[AssignedBatch]
    batch: str
    images: list[TaskImage]
    states: list[StateCount]
    state: str
    offset: int
    total: int
    tasks: list[NextTask]
    tasks_total: int
    annotator: list[str]
    exam: GoldExam | None
    may_assign: bool
    people: list[str]


class Assignees(BaseModel):
    """Who a batch is assigned to from now on."""

    model_config = ConfigDict(extra="forbid")

    users: list[Annotated[str, Field(max_length=63)]] = Field(max_length=200)


class AssignedTo(BaseModel):
    """Who a batch is assigned to."""

    batch: str
    users: list[str]


@routes.page(
    "/p/{project}/assigned", template="pages/assigned.html", permission=Permission.ASSIGNED
)
def assigned(
    project: str,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    door: CurrentFrontDoor,
    batch: Annotated[str, Query(max_length=63)] = "",
    state: Annotated[str, Query(max_length=16)] = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Assigned:
    """Batches that are assigned to you, your tasks in their order, and the images of a batch."""
    may_assign = access.may(Permission.REVIEW, project)
    every = _batches(workspace, project)
    own = assignments(workspace.database, project=project)
    users: dict[str, list[str]] = {}
    for each in own:
        users.setdefault(each.batch, []).append(each.user)
    work = {b.name: b for b in batches_of(workspace, project)}
    share = share_of(workspace, project, access.user)
    batches = [
        AssignedBatch(
            state=said(work[b.name].state) if b.name in work else b.state,
            deadline=work[b.name].deadline if b.name in work else None,
            made=share.made.get(b.name, 0),
            own=share.open.get(b.name, 0),
            tool_url=tool_link(workspace, project, work[b.name].tool_project)
            if b.name in work and work[b.name].state not in ("paused", "cancelled")
            else "",
            name=b.name,
            purpose=b.purpose,
            reason=b.reason,
            images=b.images,
            labelled=work[b.name].labelled if _in_tool(work.get(b.name)) else b.labelled,
            at=b.at,
            assignees=users.get(b.name, []) if may_assign else [],
        )
        for b in every
        if may_assign or access.user in users.get(b.name, [])
    ]
    names = [b.name for b in batches]
    if batch and batch not in names:
        raise NotFound(
            f"There is no batch {batch!r} here, or it is not assigned to you.",
            do=nearest(batch, names),
        )
    chosen = batch or (names[0] if names else "")
    images = ImagePage([], [], 0)
    if chosen in work:
        images = images_page(
            workspace,
            project,
            work[chosen],
            state=state,
            offset=offset,
            account=access.user,
            reasons=access.may(Permission.VIEW, project),
        )
    annotator = names_of(workspace, project, access.user)
    tasks: list[NextTask] = []
    tasks_total = 0
    if annotator or not may_assign:
        seen = [b for b in work.values() if b.name in names]
        tasks, tasks_total = tasks_next(workspace, project, seen, account=access.user)
    return Assigned(
        batches=batches,
        batch=chosen,
        images=images.images,
        states=images.states,
        state=state,
        offset=offset,
        total=images.total,
        tasks=tasks,
        tasks_total=tasks_total,
        annotator=annotator,
        exam=None if tasks_total else _exam(workspace, project, annotator),
        may_assign=may_assign,
        people=[a.name for a in _annotators(door, project)] if may_assign else [],
    )


@routes.api("GET", "/p/{project}/batches/{batch}/assignees", permission=Permission.REVIEW)
def assignees(project: str, batch: str, workspace: CurrentWorkspace) -> AssignedTo:
    """Who a batch is assigned to."""
    _require_batch(workspace, project, batch)
    found = assignments(workspace.database, project=project, batch=batch)
    return AssignedTo(batch=batch, users=[each.user for each in found])


@routes.api("POST", "/p/{project}/batches/{batch}/assignees", permission=Permission.REVIEW)
def assign_batch(
    project: str,
    batch: str,
    given: Assignees,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    door: CurrentFrontDoor,
    audit: CurrentAudit,
) -> AssignedTo:
    """Assign a batch to some accounts, and to no others: they see its images."""
    _require_batch(workspace, project, batch)
    known = [account.name for account in _annotators(door, project)]
    before = {a.user for a in assignments(workspace.database, project=project, batch=batch)}
    for user in given.users:
        if user not in known and user not in before:
            raise CannotAssign(
                f"{user!r} has no role in project {project} by which it could see images.",
                do=nearest(user, known) or "Give it the role annotator first.",
            )
    new, taken = assign(
        workspace.database, project=project, batch=batch, users=given.users, actor=access.user
    )
    audit("batch.assign", batch, project=project, given=new, taken=taken)
    return AssignedTo(batch=batch, users=sorted(set(given.users)))


def _exam(workspace: Workspace, project: str, annotator: list[str]) -> GoldExam | None:
    """How far an annotator is who is not qualified; None for everybody else."""
    if not annotator:
        return None
    rules = workspace.project(project).labeling.work
    found = examination_of(workforce_in(workspace, project), rules, annotator)
    if found is None:
        return None
    return GoldExam(images=found.images, least=found.least, gold=found.gold, at=found.at)


def _in_tool(batch: LabelingBatch | None) -> bool:
    return batch is not None and bool(batch.pushed)


def _batches(workspace: Workspace, project: str) -> list[ImageBatch]:
    """Every batch, the newest first; read again when batches or annotations changed."""
    snapshot = workspace.snapshot(project)
    found: list[ImageBatch] = workspace.kept.get(
        ("batches", project, *sorted(snapshot.identities.items())),
        lambda: list_batches(workspace.lake(project).catalog, snapshot),
    )
    return found


def _require_batch(workspace: Workspace, project: str, batch: str) -> None:
    names = [b.name for b in _batches(workspace, project)]
    if batch not in names:
        raise NotFound(f"There is no batch {batch!r} in {project}.", do=nearest(batch, names))


def _annotators(door: FrontDoor, project: str) -> list[Account]:
    """Accounts that may see what is assigned to them in a project."""
    found = []
    for account in door.accounts.list():
        role = account.roles.get(project) or account.roles.get(EVERY_PROJECT)
        if role is not None and not account.disabled and Permission.ASSIGNED in ALLOWED[role]:
            found.append(account)
    return found
