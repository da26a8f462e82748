"""One evaluation: its numbers with all that they are of, and the way to the images behind each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from fastapi import Query
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from cv_pipeline.catalog.pictures import keep_page, read_page
from cv_pipeline.catalog.query.text import condition_text
from cv_pipeline.correction.judgement import read_judgement
from cv_pipeline.errors import CVPipelineError, ObjectNotFound
from cv_pipeline.evaluation.error_analysis.analysis import likely_label_errors
from cv_pipeline.evaluation.error_analysis.mistakes import (
    confident_mistakes,
    hardest_images,
    pick_mistakes,
)
from cv_pipeline.evaluation.gap.gap import SplitError
from cv_pipeline.evaluation.suspicion import Suspicion
from cv_pipeline.evaluation.verdict.verdict import judge
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.board.alerts import images_address
from cv_pipeline.inspector.board.history import Recorded, evaluation_history
from cv_pipeline.inspector.board.training import read_training, training_chart
from cv_pipeline.inspector.charts import Chart
from cv_pipeline.inspector.evaluation_page.curves import precision_recall, reliability
from cv_pipeline.inspector.evaluation_page.findings import Finding, findings
from cv_pipeline.inspector.evaluation_page.headline import (
    Before,
    Headline,
    Origin,
    headline,
    origin,
    previous,
)
from cv_pipeline.inspector.evaluation_page.selections import MOST_NAMED, Selections, named_images
from cv_pipeline.inspector.evaluation_page.tables import (
    ClassRow,
    Confusion,
    ErrorRow,
    SliceRow,
    class_rows,
    confusion,
    error_rows,
    slice_rows,
)
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.shots import Shot, shots
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.project import Project
from cv_pipeline.provenance.evaluated import Evaluated
from cv_pipeline.provenance.reports import analysis_of, report_page
from cv_pipeline.storage.folders import fetch
from cv_pipeline.training.epoch_results import worse_images

routes = Routes("Evaluations")

STRIP = 12
_REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"


class Requirement(BaseModel):
    """One requirement, held against what was found."""

    requirement: str
    passed: bool
    why: str


class Verdict(BaseModel):
    """Whether the model may be promoted."""

    passed: bool
    summary: str
    requirements: list[Requirement]


class LabelError(BaseModel):
    """A kind of label that is likely to be wrong, and how many there are."""

    issue: str
    count: int


class Strip(BaseModel):
    """Some images with the way to all of them."""

    title: str
    words: str
    total: int
    href: str
    shots: list[Shot]


class EvaluationPage(BaseModel):
    """What the page of an evaluation shows."""

    digest: str
    task: str
    at: datetime
    metric: str
    split: str
    images: int
    objects: int
    operating_point: float | None
    headline: list[Headline]
    origin: Origin
    findings: list[Finding]
    slices: list[SliceRow]
    classes: list[ClassRow]
    errors: list[ErrorRow]
    confusion: Confusion | None
    precision_recall: Chart | None
    reliability: Chart | None
    calibration: list[str]
    training: Chart | None
    gap: list[str]
    gap_errors: list[SplitError]
    suspicions: list[Suspicion]
    verdict: Verdict
    strips: list[Strip]
    label_errors: list[LabelError]
    before: Before | None
    judgement: dict[str, Any] | None
    notes: list[str]
    all_images: str
    newest: bool


@routes.page(
    "/p/{project}/evaluations/{digest}",
    template="pages/evaluation.html",
    permission=Permission.VIEW,
)
def evaluation(project: str, digest: str, workspace: CurrentWorkspace) -> EvaluationPage:
    """Everything about one evaluation; ``latest`` is the newest, a prefix of its digest will do."""
    settings = workspace.project(project)
    evaluated = workspace.evaluated(project, digest)
    made = evaluated.evaluation
    record = made.record
    links = Selections(project, made)
    with workspace.log() as log:
        history = evaluation_history(log, settings)
    place = next((n for n, r in enumerate(history) if r.digest == made.digest), None)
    fixed = workspace.kept.get(
        ("evaluation", project, made.digest, evaluated.event.storage_id),
        lambda: _unchanging(workspace, evaluated, links),
    )
    declared = _declared(settings)
    classes = class_rows(made, links)
    epochs, drops = read_training(workspace, settings, evaluated.model, [])
    return EvaluationPage(
        digest=made.digest,
        task=record.task,
        at=evaluated.event.timestamp,
        metric=record.metric,
        split=record.split,
        images=record.images[record.split],
        objects=record.objects[record.split],
        operating_point=record.operating_point,
        headline=headline(record),
        origin=origin(workspace, evaluated),
        findings=findings(workspace, evaluated, links),
        slices=slice_rows(made, links, declared),
        classes=classes,
        errors=error_rows(made, links),
        confusion=confusion(made, links),
        precision_recall=precision_recall(made, [c.label for c in classes]),
        reliability=reliability(made),
        calibration=_calibration(evaluated),
        training=training_chart(
            settings, evaluated.model, epochs, drops, width=400.0, height=200.0
        ),
        gap=list(record.gap.reading),
        gap_errors=list(record.gap.errors),
        suspicions=list(record.suspicions),
        verdict=_verdict(settings, evaluated),
        strips=fixed[0],
        label_errors=fixed[1],
        before=_before(history, place),
        judgement=_judgement(workspace, evaluated),
        notes=list(record.notes),
        all_images=links.of(None),
        newest=place is not None and place == len(history) - 1,
    )


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
    evaluated = workspace.evaluated(project, digest)
    made = evaluated.evaluation

    def pick() -> list[str]:
        rows = pick_mistakes(
            made.matches,
            split=split or made.record.split,
            kind=kind,
            truth=truth,
            predicted=predicted,
        )
        ids: list[str] = pc.unique(rows["image_id"])[:MOST_NAMED].to_pylist()
        return ids

    key = ("errors", project, made.digest, kind, truth, predicted, split)
    label = truth if truth in made.record.labels else predicted
    return _to_images(
        project,
        workspace.kept.get(key, pick),
        evaluation=made.digest,
        label=label if label in made.record.labels else None,
    )


@routes.raw("GET", "/p/{project}/evaluations/{digest}/label-errors", permission=Permission.VIEW)
def label_error_images(
    project: str,
    digest: str,
    workspace: CurrentWorkspace,
    issue: Annotated[str | None, Query()] = None,
) -> Response:
    """The images with labels that are likely to be wrong, the likeliest first."""
    evaluated = workspace.evaluated(project, digest)
    rows = _label_errors(workspace, evaluated)
    if issue is not None:
        rows = rows.filter(pc.equal(rows["issue"], issue))
    return _to_images(project, rows["image_id"].to_pylist(), evaluation=evaluated.evaluation.digest)


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
    folder = fetch(
        workspace.store,
        f"projects/{project}/models/{event.version}",
        marker="model.json",
        cache=workspace.cache,
    )
    rows = worse_images(folder, epoch=epoch, against=against)
    return _to_images(
        project,
        rows["image_id"].to_pylist(),
        evaluation=evaluations[0] if evaluations else None,
    )


@routes.raw("GET", "/p/{project}/evaluations/{digest}/report", permission=Permission.VIEW)
def report(project: str, digest: str, workspace: CurrentWorkspace) -> Response:
    """The report of an evaluation: one page that needs nothing beside itself."""
    evaluated = workspace.evaluated(project, digest)
    try:
        page = read_page(workspace.store, project, name=evaluated.event.version)
    except ObjectNotFound:  # never made, or one of the images on it was taken out since
        page = _make_report(workspace, evaluated)
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


def _to_images(project: str, image_ids: list[str], **more: str | None) -> Response:
    return RedirectResponse(images_address(project, named_images(image_ids), **more), 302)


def _declared(settings: Project) -> dict[str, str]:
    """Name of each declared slice to its condition; those that are more than one are left out."""
    found = {}
    for name, query in settings.evaluation.slice_queries.items():
        node = query.to_ast()
        if node.where is not None and node.sample is None and node.limit is None:
            found[name] = condition_text(node.where)
    return found


def _unchanging(
    workspace: Workspace, evaluated: Evaluated, links: Selections
) -> tuple[list[Strip], list[LabelError]]:
    """What stays the same while the evaluation does, and is costly to gather."""
    made = evaluated.evaluation
    split = made.record.split
    hardest = hardest_images(made.per_image, split=split, n=STRIP * 5)
    confident = confident_mistakes(made.matches, split=split, n=STRIP * 5)
    wrong = _label_errors(workspace, evaluated)
    strips = []
    for title, words, rows, href in (
        (
            "Hardest images",
            "Those that the model does worst on.",
            hardest,
            links.asked(
                f"results('{made.record.model[:16]}', correct = false) and"
                f" dataset('{made.record.dataset[:16]}', split = '{split}')"
                f" order by results('{made.record.model[:16]}').score"
            ),
        ),
        (
            "Most confident mistakes",
            "Wrong predictions that the model is surest of.",
            confident,
            links.errors(),
        ),
        (
            "Labels that are likely to be wrong",
            (
                "The model disagrees with them and is as sure as it is when it is right, on images"
                " that it has not learnt from. A person decides."
            ),
            wrong,
            links.label_errors(),
        ),
    ):
        ids = list(dict.fromkeys(rows["image_id"].to_pylist()))
        if ids:
            strips.append(
                Strip(
                    title=title,
                    words=words,
                    total=len(ids),
                    href=href,
                    shots=shots(evaluated, ids[:STRIP]),
                )
            )
    counted = wrong["issue"].value_counts().to_pylist()
    issues = [
        LabelError(issue=str(row["values"]).replace("_", " "), count=row["counts"])
        for row in counted
    ]
    return strips, issues


def _label_errors(workspace: Workspace, evaluated: Evaluated) -> Any:
    """Schema LABEL_ERRORS: of the error analysis, or found now where there is none."""

    def read() -> Any:
        with workspace.log() as log:
            analysis = analysis_of(evaluated, log)
        if analysis is not None:
            return analysis.label_errors
        said = pq.read_table(evaluated.predictions_folder() / "predictions.parquet")
        return likely_label_errors(evaluated.evaluation, said)

    key = ("label errors", evaluated.project, evaluated.event.version)
    return workspace.kept.get(key, read)


def _verdict(settings: Project, evaluated: Evaluated) -> Verdict:
    found = judge(settings.requirements, evaluated.evaluation, evaluated.costs())
    return Verdict(
        passed=found.passed,
        summary=found.summary,
        requirements=[
            Requirement(requirement=one.requirement, passed=one.passed, why=one.why)
            for one in found.requirements
        ],
    )


def _calibration(evaluated: Evaluated) -> list[str]:
    known = evaluated.evaluation.record.calibration
    if known is None:
        return []
    ece = known.as_predicted.ece
    told = [
        (
            f"Expected calibration error {ece.value:.3f} ({ece.low:.3f} to {ece.high:.3f}) of the"
            f" {known.of}."
        )
    ]
    if known.temperature is not None and known.tempered is not None:
        told.append(
            f"A temperature of {known.temperature:.2f}, fitted on {known.fitted_on} images of val,"
            f" would make it {known.tempered.ece.value:.3f}."
        )
    return told


def _before(history: list[Recorded], place: int | None) -> Before | None:
    return previous(history[place - 1], history[place]) if place else None


def _judgement(workspace: Workspace, evaluated: Evaluated) -> dict[str, Any] | None:
    """The comparison with its parent, where the model is of a corrective run."""
    digest = evaluated.model.metadata.get("corrective")
    if not digest:
        return None
    try:
        return read_judgement(
            workspace.store,
            evaluated.project,
            corrective=str(digest),
            model=evaluated.model.version,
        )
    except CVPipelineError:
        return None
