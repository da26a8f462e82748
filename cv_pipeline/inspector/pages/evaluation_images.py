"""From a part of an evaluation, or an epoch of a training, to its images; and the report."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.responses import RedirectResponse, Response

from cv_pipeline.catalog.pictures import keep_page, page_images, read_page
from cv_pipeline.errors import EvaluationError, ObjectNotFound, nearest
from cv_pipeline.evaluation.detection.error_kinds import KINDS
from cv_pipeline.inspector.access.image_access import is_restricted
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.board.alerts import images_address
from cv_pipeline.inspector.evaluation_page.find import find_evaluation
from cv_pipeline.inspector.evaluation_page.selections import Selections
from cv_pipeline.inspector.images.among import EPOCH, ERRORS, LABEL_ERRORS, Among, image_ids
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.provenance.evaluated import Evaluated
from cv_pipeline.provenance.reports import analysis_of, report_page

routes = Routes("Evaluations")

_REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"


@routes.raw("GET", "/p/{project}/evaluations/{digest}/errors", permission=Permission.VIEW)
def error_images(
    project: str,
    digest: str,
    workspace: CurrentWorkspace,
    kind: Annotated[str | None, Query()] = None,
    truth: Annotated[str | None, Query()] = None,
    predicted: Annotated[str | None, Query()] = None,
    split: Annotated[str | None, Query()] = None,
) -> Response:
    """The images of a kind of error or of a cell of the confusion, the surest mistakes first."""
    evaluated = find_evaluation(workspace, project, digest)
    made = evaluated.evaluation
    if truth is None and predicted is None:
        return _of_kind(evaluated, kind=kind, split=split)
    said = {"kind": kind, "truth": truth, "predicted": predicted, "split": split}
    among = Among(ERRORS, {k: v for k, v in said.items() if v is not None})
    image_ids(workspace, project, among, evaluated)  # what is wrong with it is told here
    links = Selections(project, made)
    classes = made.record.labels
    if truth in classes:
        return RedirectResponse(links.among(among, label=truth), 302)
    if predicted in classes:  # the mistakes of a class; without a kind its true objects are meant
        return RedirectResponse(links.among(among, kind="error", label=predicted), 302)
    return RedirectResponse(links.among(among), 302)


def _of_kind(evaluated: Evaluated, *, kind: str | None, split: str | None) -> Response:
    """All images of a kind of error, or of any."""
    made = evaluated.evaluation
    if kind is not None and kind not in KINDS:
        raise EvaluationError(f"{kind!r} is no kind of error.", do=nearest(kind, KINDS))
    splits = list(made.record.images)
    if split is not None and split not in splits:
        raise EvaluationError(f"The split {split!r} was not evaluated.", do=nearest(split, splits))
    address = Selections(evaluated.project, made).wrong(kind or "error", split=split)
    return RedirectResponse(address, 302)


@routes.raw("GET", "/p/{project}/evaluations/{digest}/label-errors", permission=Permission.VIEW)
def label_error_images(
    project: str,
    digest: str,
    workspace: CurrentWorkspace,
    issue: Annotated[str | None, Query()] = None,
) -> Response:
    """The images with the labels that are likeliest to be wrong."""
    evaluated = find_evaluation(workspace, project, digest)
    among = Among(LABEL_ERRORS, {} if issue is None else {"issue": issue})
    return RedirectResponse(Selections(project, evaluated.evaluation).among(among), 302)


@routes.raw("GET", "/p/{project}/evaluations/epochs/{model}/{epoch}", permission=Permission.VIEW)
def epoch_images(
    project: str,
    model: str,
    epoch: int,
    workspace: CurrentWorkspace,
    against: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """The validation images that got worse in an epoch of a training, the worst first."""
    with workspace.log() as log:
        event = log.of_version(f"{project}/trained_model", model)
        evaluations = [
            e.version
            for e in log.newest_first(f"{project}/eval_slices")
            if e.metadata.get("model") == event.version
        ]
    said = {"model": event.version, "epoch": str(epoch)}
    among = Among(EPOCH, said if against is None else {**said, "against": str(against)})
    image_ids(workspace, project, among, None)  # an epoch that there is not is told here
    evaluation = evaluations[0] if evaluations else None
    address = images_address(project, "all images", evaluation=evaluation, among=among.text)
    return RedirectResponse(address, 302)


@routes.raw("GET", "/p/{project}/evaluations/{digest}/report", permission=Permission.VIEW)
def report(project: str, digest: str, workspace: CurrentWorkspace, audit: CurrentAudit) -> Response:
    """The report of an evaluation: one page that needs nothing beside itself.

    It holds pixels: which restricted images somebody saw on it stands in the audit log.
    """
    evaluated = find_evaluation(workspace, project, digest)
    try:
        page = read_page(workspace.store, project, name=evaluated.event.version)
    except ObjectNotFound:  # never made, or one of the images on it was taken out since
        page = _make_report(workspace, evaluated)
    if workspace.project(project).access.restricted is not None:
        for image_id in page_images(workspace.store, project, name=evaluated.event.version):
            if is_restricted(workspace, project, image_id):
                audit("image.seen", image_id, project=project, way="report")
    return Response(
        page,
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": _REPORT_POLICY},
    )


def _make_report(workspace: Workspace, evaluated: Evaluated) -> bytes:
    project = evaluated.project
    with workspace.log() as log:
        analysis = analysis_of(evaluated, log)
        html, images = report_page(
            project=workspace.project(project), evaluated=evaluated, analysis=analysis, log=log
        )
    if keep_page(workspace.store, project, html, images, name=evaluated.event.version) is None:
        raise NotFound("One of the images of the report was taken out just now.", do="Try again.")
    return html.encode()
