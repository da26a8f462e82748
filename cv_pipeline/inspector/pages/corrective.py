"""What the corrective dialog asks for: the selection in numbers, more like it, the launch."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow.compute as pc
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.catalog.datalake.image_batches import ImageBatch, list_batches
from cv_pipeline.catalog.datalake.more_like import more_like
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.board.alerts import images_address, quoted
from cv_pipeline.inspector.board.down import PartDown, parts_down
from cv_pipeline.inspector.corrective.launch import launch, parent_card, splits_of
from cv_pipeline.inspector.corrective.selection import (
    MOST_MORE,
    SelectionCounts,
    counted,
    widened,
    with_more,
)
from cv_pipeline.inspector.investigations.store import Investigations
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace

routes = Routes("Corrective runs")

MOST_LIKE = 200
_QUERY = Query(max_length=20_000, description="Which images, in the query language.")
Text = Annotated[str, Field(max_length=2_000)]
ImageId = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
ImageIds = Annotated[list[ImageId], Field(max_length=MOST_MORE)]
Scalar = str | int | float | bool | list[int]


class Parameter(BaseModel):
    """A parameter of the parent's training."""

    key: str
    value: Scalar
    words: str


class Preview(BaseModel):
    """What a corrective run of a selection would be about.

    Attributes:
        selection: the images as they were asked for.
        widened: the same condition without the dataset version; None where nothing is bound to one.
        parent: digest of the model that is to be bettered.
        parameters: of its training.
        labels: classes that the run can be judged by.
        may_launch: whether the account may launch it.
        may_set_aside: whether it may set images aside.
        down: parts that are needed and do not answer.
    """

    selection: SelectionCounts
    widened: SelectionCounts | None
    parent: str
    parameters: list[Parameter]
    labels: list[str]
    may_launch: bool
    may_set_aside: bool
    down: list[PartDown]


class LikeImage(BaseModel):
    """An image that is like those of a selection."""

    image_id: str
    similarity: float
    nearest: str
    labelled: bool


class More(BaseModel):
    """Images that are like those of a selection, the most alike first."""

    examples: int
    images: list[LikeImage]


class CorrectiveRequest(BaseModel):
    """What a corrective run is to change."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[str, Field(max_length=20_000)] | None = None
    more: Annotated[
        list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]], Field(max_length=500)
    ] = Field(default_factory=list)
    weight: Annotated[int, Field(ge=1, le=1000)] | None = None
    label: Annotated[str, Field(max_length=500)] | None = None
    changes: dict[Annotated[str, Field(max_length=200)], Scalar] = Field(default_factory=dict)
    parent: Annotated[str, Field(max_length=200)] = "latest"
    reason: Text = ""
    investigation: Annotated[str, Field(max_length=64)] | None = None


class LaunchedRun(BaseModel):
    """A corrective run that was handed to Dagster."""

    run_id: str
    record: str
    address: str


class BatchRequest(BaseModel):
    """Images that are to be set aside."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[str, Field(max_length=20_000)] | None = None
    more: Annotated[
        list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]], Field(max_length=500)
    ] = Field(default_factory=list)
    name: Annotated[str, Field(max_length=63)] | None = None
    purpose: Literal["label", "relabel"] = "relabel"
    reason: Text = ""


class BatchMade(BaseModel):
    """A batch that was set aside."""

    name: str
    images: int
    new: bool
    address: str


class BatchLine(BaseModel):
    """A batch in a list."""

    name: str
    purpose: str
    state: str
    images: int
    labelled: int
    reason: str
    actor: str
    at: datetime
    address: str


class Batches(BaseModel):
    """Images that were set aside, the newest first."""

    batches: list[BatchLine]


@routes.api("GET", "/p/{project}/corrective", permission=Permission.VIEW)
def preview(
    project: str,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    q: Annotated[str, _QUERY] = "",
    parent: Annotated[str, Query(max_length=200)] = "latest",
) -> Preview:
    """A selection in numbers, the parameters of the parent, and what stands in the way."""
    card = parent_card(workspace, project, parent)
    splits = splits_of(workspace, project, card.dataset_digest)
    text = q.strip() or "all images"
    wider = widened(text)
    training = card.training.model_copy(update={"seed": card.seed})
    return Preview(
        selection=counted(workspace.select(project, text), splits),
        widened=None if wider is None else counted(workspace.select(project, wider), splits),
        parent=card.digest,
        parameters=_parameters(training),
        labels=list(card.labels),
        may_launch=access.may(Permission.LAUNCH, project),
        may_set_aside=access.may(Permission.REVIEW, project),
        down=[
            part
            for part in parts_down(
                dagster_ui=workspace.dagster_ui,
                mlflow_ui=workspace.mlflow_ui,
                instance=workspace.instance,
            )
            if part.part.startswith("Dagster")
        ],
    )


@routes.api("POST", "/p/{project}/corrective", permission=Permission.LAUNCH, status=202)
def launch_corrective(
    project: str,
    asked: CorrectiveRequest,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    audit: CurrentAudit,
) -> LaunchedRun:
    """Declare a corrective run and launch it; what is wrong is told before anything runs."""
    investigations = Investigations(workspace.database)
    if asked.investigation:  # before anything runs that could not be linked
        investigations.require_open_to(project, asked.investigation)
    query = with_more(asked.query, asked.more) if asked.more else asked.query
    launched = launch(
        workspace,
        project,
        parent=asked.parent,
        query=query,
        weight=asked.weight,
        label=asked.label,
        changes=asked.changes,
        reason=asked.reason,
    )
    record = launched.record
    audit(
        "corrective.launch",
        launched.run_id,
        project=project,
        why=asked.reason,
        record=record.digest,
        parent=record.parent,
        images=record.selection.images if record.selection else 0,
    )
    if asked.investigation:
        investigations.link_run(
            project, asked.investigation, run_id=launched.run_id, user=access.user
        )
    return LaunchedRun(
        run_id=launched.run_id,
        record=record.digest,
        address=f"/p/{project}/runs/{launched.run_id}",
    )


@routes.api("GET", "/p/{project}/more-like", permission=Permission.VIEW)
def find_more_like(
    project: str,
    workspace: CurrentWorkspace,
    q: Annotated[str, _QUERY],
    n: Annotated[int, Query(ge=1, le=MOST_LIKE)] = 24,
    labels: Annotated[Literal["any", "with", "without"], Query()] = "any",
    for_training: Annotated[bool, Query()] = False,
    parent: Annotated[str, Query(max_length=200)] = "latest",
) -> More:
    """Images outside a selection that are most like it, without copies of each other.

    ``for_training`` leaves out what ``parent``, the model that is to be bettered, is judged on.
    """
    chosen = workspace.select(project, q)
    snapshot = chosen.snapshot
    annotated = snapshot.images["annotations_count"].to_numpy() > 0
    open_to = ~snapshot.images["taken_out"].to_numpy()
    if labels != "any":
        open_to &= annotated if labels == "with" else ~annotated
    if for_training:
        card = parent_card(workspace, project, parent)
        splits = splits_of(workspace, project, card.dataset_digest)
        held_out = splits.filter(pc.not_equal(splits["split"], "train"))["image_id"]
        numbers = snapshot.numbering.find(held_out)
        open_to[numbers[numbers >= 0]] = False
    found = more_like(
        workspace.lake(project).catalog,
        snapshot,
        examples=chosen.numbers,
        among=np.flatnonzero(open_to).astype(np.int32),
        n=n,
    )
    labelled = annotated[snapshot.numbering.find(found.image_ids)]
    return More(
        examples=found.examples,
        images=[
            LikeImage(image_id=i, similarity=s, nearest=e, labelled=bool(w))
            for i, s, e, w in zip(
                found.image_ids.to_pylist(),
                found.similarity.tolist(),
                found.nearest.to_pylist(),
                labelled.tolist(),
                strict=True,
            )
        ],
    )


@routes.api("POST", "/p/{project}/batches", permission=Permission.REVIEW, status=201)
def set_aside(
    project: str,
    asked: BatchRequest,
    workspace: CurrentWorkspace,
    audit: CurrentAudit,
) -> BatchMade:
    """Set the images of a query aside, to be labelled or labelled again."""
    text = with_more(asked.query, asked.more)
    lake = workspace.lake(project)
    found = lake.query(text)
    name = asked.name or _batch_name(asked.purpose)
    new = lake.set_aside(found, name, purpose=asked.purpose, reason=asked.reason)
    audit(
        "batch.set_aside",
        name,
        project=project,
        why=asked.reason,
        purpose=asked.purpose,
        images=found.count,
        query=found.text,
    )
    return BatchMade(name=name, images=found.count, new=new, address=_batch_address(project, name))


@routes.api("GET", "/p/{project}/batches", permission=Permission.VIEW)
def batches(project: str, workspace: CurrentWorkspace) -> Batches:
    """Images that were set aside, the newest first."""
    found = list_batches(workspace.lake(project).catalog, workspace.snapshot(project))
    return Batches(batches=[_line(project, batch) for batch in found])


def _parameters(training: Any) -> list[Parameter]:
    """Every parameter by its key, sections flattened, with what it is."""
    found: list[Parameter] = []
    for name, field in type(training).model_fields.items():
        value = getattr(training, name)
        if isinstance(value, BaseModel):
            found += [
                Parameter(
                    key=f"training.{name}.{p.key.partition('.')[2]}", value=p.value, words=p.words
                )
                for p in _parameters(value)
            ]
        else:
            plain = list(value) if isinstance(value, tuple) else value
            found.append(
                Parameter(key=f"training.{name}", value=plain, words=field.description or "")
            )
    return found


def _batch_name(purpose: str) -> str:
    now = datetime.now(UTC)
    return re.sub(r"[^A-Za-z0-9_.-]", "-", f"{purpose}-{now:%Y-%m-%d-%H%M%S}")


def _batch_address(project: str, name: str) -> str:
    return images_address(project, f"set_aside = {quoted(name)}")


def _line(project: str, batch: ImageBatch) -> BatchLine:
    return BatchLine(
        name=batch.name,
        purpose=batch.purpose,
        state=batch.state,
        images=batch.images,
        labelled=batch.labelled,
        reason=batch.reason,
        actor=batch.actor,
        at=batch.at,
        address=_batch_address(project, batch.name),
    )
