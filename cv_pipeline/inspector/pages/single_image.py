"""One image large, with everything that is known of it and all that it belongs to.

This module is registered after the grid's, whose addresses its own would shadow.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from cv_pipeline.evaluation.error_analysis.reviews import record_review, reviews_of
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.image_access import SeenImage
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.images.activation import ask_for_map, get_ready
from cv_pipeline.inspector.images.life import (
    Belongings,
    History,
    Neighbours,
    belongings,
    history,
    neighbours,
)
from cv_pipeline.inspector.images.one import ImagePage, open_image
from cv_pipeline.inspector.pages.images import CurrentState
from cv_pipeline.inspector.pixels.images import require_image
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.provenance.explained import ActivationPicture, activation_map

routes = Routes("Images")

Name = Annotated[str, Query(max_length=500)]


class Judgement(BaseModel):
    """What somebody thinks of what a model said of an image."""

    model_config = ConfigDict(extra="forbid")

    evaluation: Annotated[str, StringConstraints(min_length=8, max_length=64)]
    verdict: Literal["right", "wrong"]
    issue: Annotated[str, StringConstraints(max_length=100)] = ""
    note: Annotated[str, StringConstraints(max_length=2000)] = ""


class Waiting(BaseModel):
    """What is being waited for."""

    what: str


class Ready(BaseModel):
    """Whether a model can say at once where it looks."""

    ready: bool


class Judged(BaseModel):
    """A judgement that was given."""

    verdict: str
    issue: str
    note: str
    actor: str
    at: str


class Judgements(BaseModel):
    """What people think of what a model said of an image, oldest first."""

    judgements: list[Judged]


@routes.page(
    "/p/{project}/images/{image_id}", template="pages/image.html", permission=Permission.ASSIGNED
)
def image(
    project: str,
    image_id: SeenImage,
    state: CurrentState,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    position: Annotated[int | None, Query(ge=0)] = None,
    models: Name = "",
    then: Name = "",
) -> ImagePage:
    """One image: facts, labels, what models say, and its place in the query it was opened from."""
    chosen = [name for name in models.split(",") if name]
    return open_image(
        workspace,
        access,
        project,
        image_id,
        state=state,
        position=position,
        models=chosen,
        then=then,
    )


@routes.api("GET", "/p/{project}/images/{image_id}/history", permission=Permission.VIEW)
def image_labels_history(project: str, image_id: SeenImage, workspace: CurrentWorkspace) -> History:
    """What happened to the labels of an image, and in which dataset versions it was."""
    return history(workspace, project, image_id)


@routes.api("GET", "/p/{project}/images/{image_id}/belongs", permission=Permission.VIEW)
def image_belongs(project: str, image_id: SeenImage, workspace: CurrentWorkspace) -> Belongings:
    """Everything that an image belongs to: dataset versions, models, metrics, deployments."""
    return belongings(workspace, project, image_id)


@routes.api("GET", "/p/{project}/images/{image_id}/similar", permission=Permission.VIEW)
def image_neighbours(project: str, image_id: SeenImage, workspace: CurrentWorkspace) -> Neighbours:
    """The images that are most like one, the most alike first."""
    found: Neighbours = workspace.kept.get(
        ("similar", project, image_id, *sorted(workspace.snapshot(project).identities.items())),
        lambda: neighbours(workspace, project, image_id),
    )
    return found


@routes.api("GET", "/p/{project}/images/{image_id}/reviews", permission=Permission.VIEW)
def image_reviews(
    project: str, image_id: SeenImage, evaluation: Name, workspace: CurrentWorkspace
) -> Judgements:
    """What people think of what a model said of an image in an evaluation."""
    digest = workspace.evaluated(project, evaluation).event.version
    rows = reviews_of(workspace.lake(project).catalog, digest).to_pylist()
    told = [r | {"at": r["at"].isoformat()} for r in rows if r["image_id"] == image_id]
    return Judgements(
        judgements=[Judged(**{name: r[name] for name in Judged.model_fields}) for r in told]
    )


@routes.api("POST", "/p/{project}/images/{image_id}/reviews", permission=Permission.REVIEW)
def review_image(
    project: str,
    image_id: SeenImage,
    judgement: Judgement,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    audit: CurrentAudit,
) -> Judgements:
    """Say whether what a model said of an image is right."""
    evaluated = workspace.evaluated(project, judgement.evaluation)
    record_review(
        workspace.lake(project).catalog,
        evaluated.evaluation,
        image_id=image_id,
        verdict=judgement.verdict,
        issue=judgement.issue,
        note=judgement.note,
        actor=access.user,
    )
    audit(
        "image.review",
        image_id,
        project=project,
        why=judgement.note,
        verdict=judgement.verdict,
        evaluation=evaluated.event.version,
    )
    return image_reviews(project, image_id, evaluated.event.version, workspace)


@routes.api("GET", "/p/{project}/images/{image_id}/explainer", permission=Permission.VIEW)
def get_explainer_ready(
    project: str, image_id: SeenImage, model: Name, workspace: CurrentWorkspace
) -> Ready:
    """Whether a model can say at once where it looks; otherwise it is read, in the background."""
    require_image(workspace, project, image_id)
    return Ready(ready=get_ready(workspace, project, model).state == "done")


@routes.raw(
    "GET",
    "/p/{project}/images/{image_id}/activation",
    permission=Permission.VIEW,
)
def activation(
    project: str,
    image_id: SeenImage,
    workspace: CurrentWorkspace,
    model: Name,
    label: Name = "",
) -> Response:
    """Where a model looks for a class on an image, as a PNG; 202 while that is being computed."""
    require_image(workspace, project, image_id)  # a map that is kept shows its pixels

    def explain() -> ActivationPicture:
        return activation_map(
            f"{project}@{model}",
            image_id,
            label=label or None,
            instance=workspace.instance,
            store=workspace.store,
            cache=workspace.cache,
        )

    state = _map_state(workspace, project, model)
    job = ask_for_map(workspace, (project, image_id, model, label, *state), explain)
    if job.error is not None:
        raise job.error
    found = job.result
    if found is None:
        told = Waiting(what="It is being computed: the first map of a model takes some seconds.")
        headers = {"Retry-After": "1", "Cache-Control": "no-store"}
        return Response(told.model_dump_json(), 202, headers, "application/json")
    if found.png is None:
        raise NotFound(
            f"Nothing on this image activates {found.label!r} in the model.",
            do="Choose another class.",
        )
    headers = {
        "Cache-Control": "private, max-age=600",
        "X-Label": found.label.encode("ascii", "replace").decode(),
    }
    if found.score is not None:
        headers["X-Score"] = f"{found.score:.4f}"
    if found.share is not None:
        headers["X-Share"] = f"{found.share:.4f}"
    return Response(found.png, media_type="image/png", headers=headers)


def _map_state(workspace: Workspace, project: str, model: str) -> tuple[str, str]:
    """What a map shows beside the image: which model is the latest, and labels as they are now."""
    newest = ""
    if model == "latest":
        with workspace.log() as log:
            event = log.latest(f"{project}/trained_model")
        newest = event.version if event is not None else ""
    return newest, workspace.snapshot(project).identities["annotations"]
