"""One evaluation: its numbers with all that they are of, and the way to the images behind each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow.compute as pc
from pydantic import BaseModel

from cv_pipeline.catalog.query.text import condition_text
from cv_pipeline.correction.judgement import read_judgement
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.evaluation.error_analysis.mistakes import (
    confident_mistakes,
    hardest_images,
)
from cv_pipeline.evaluation.gap.gap import SplitError
from cv_pipeline.evaluation.suspicion import Suspicion
from cv_pipeline.evaluation.verdict.verdict import judge
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.board.history import Recorded, evaluation_history
from cv_pipeline.inspector.board.training import read_training, training_chart
from cv_pipeline.inspector.charts import Chart
from cv_pipeline.inspector.evaluation_page.curves import precision_recall, reliability
from cv_pipeline.inspector.evaluation_page.find import find_evaluation
from cv_pipeline.inspector.evaluation_page.findings import Finding, findings
from cv_pipeline.inspector.evaluation_page.headline import (
    Before,
    Headline,
    Origin,
    headline,
    origin,
    previous,
)
from cv_pipeline.inspector.evaluation_page.label_errors import label_errors
from cv_pipeline.inspector.evaluation_page.selections import Selections
from cv_pipeline.inspector.evaluation_page.tables import (
    ClassResult,
    Confusion,
    ErrorRow,
    SliceRow,
    class_rows,
    confusion,
    error_rows,
    slice_rows,
)
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.shots import Shot, shots
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.project import Project
from cv_pipeline.provenance.evaluated import Evaluated

routes = Routes("Evaluations")

STRIP = 12


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
    """Some images with the way to all of them; ``total`` is how many that shows."""

    title: str
    words: str
    total: int
    href: str
    shots: list[Shot]


class Fixed(BaseModel):
    """What stays the same while the evaluation does, and is costly to gather."""

    classes: list[ClassResult]
    errors: list[ErrorRow]
    confusion: Confusion | None
    precision_recall: Chart | None
    reliability: Chart | None
    strips: list[Strip]
    label_errors: list[LabelError]


class EvaluationPage(BaseModel):
    """What the page of an evaluation shows; ``missing`` says what of it cannot be read now."""

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
    classes: list[ClassResult]
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
    missing: list[str]
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
    evaluated = find_evaluation(workspace, project, digest)
    made = evaluated.evaluation
    record = made.record
    links = Selections(project, made)
    with workspace.log() as log:
        history = evaluation_history(log, settings)
        newest = log.latest(f"{project}/eval_slices")
    place = next((n for n, r in enumerate(history) if r.digest == made.digest), None)
    missing: list[str] = []
    try:
        fixed: Fixed = workspace.kept.get(
            ("evaluation", project, made.digest, evaluated.event.storage_id),
            lambda: _unchanging(workspace, evaluated, links),
        )
    except (CVPipelineError, OSError) as error:  # what the evaluation itself says still stands
        fixed = _unchanging(workspace, evaluated, links, pictures=False)
        missing.append(f"Its images and likely label errors cannot be shown: {error}")
    declared = _declared(settings)
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
        classes=fixed.classes,
        errors=fixed.errors,
        confusion=fixed.confusion,
        precision_recall=fixed.precision_recall,
        reliability=fixed.reliability,
        calibration=_calibration(evaluated),
        training=training_chart(
            settings, evaluated.model, epochs, drops, width=400.0, height=200.0
        ),
        gap=list(record.gap.reading),
        gap_errors=list(record.gap.errors),
        suspicions=list(record.suspicions),
        verdict=_verdict(settings, evaluated),
        strips=fixed.strips,
        label_errors=fixed.label_errors,
        before=_before(history, place),
        judgement=_judgement(workspace, evaluated),
        missing=missing,
        notes=list(record.notes),
        all_images=links.of(None),
        # one that was recorded again, when the data went back, is the newest again
        newest=newest is not None and newest.version == made.digest,
    )


def _declared(settings: Project) -> dict[str, str]:
    """Name of each declared slice to its condition; those that are more than one are left out."""
    found = {}
    for name, query in settings.evaluation.slice_queries.items():
        node = query.to_ast()
        if node.where is not None and node.sample is None and node.limit is None:
            found[name] = condition_text(node.where)
    return found


def _unchanging(
    workspace: Workspace, evaluated: Evaluated, links: Selections, *, pictures: bool = True
) -> Fixed:
    made = evaluated.evaluation
    strips, issues = _strips(workspace, evaluated, links) if pictures else ([], [])
    classes = class_rows(made, links)
    return Fixed(
        classes=classes,
        errors=error_rows(made, links),
        confusion=confusion(made, links),
        precision_recall=precision_recall(made, [c.label for c in classes]),
        reliability=reliability(made),
        strips=strips,
        label_errors=issues,
    )


def _strips(
    workspace: Workspace, evaluated: Evaluated, links: Selections
) -> tuple[list[Strip], list[LabelError]]:
    """Images of the evaluation, for which the folders that it read are needed."""
    made = evaluated.evaluation
    split = made.record.split
    hardest = hardest_images(made.per_image, split=split, n=STRIP * 5)
    confident = confident_mistakes(made.matches, split=split, n=STRIP * 5)
    wrong = label_errors(workspace, evaluated)
    per_image = made.per_image.filter(pc.field("split") == split)
    not_right = int(pc.sum(pc.invert(per_image["correct"])).as_py() or 0)
    unlikely = pc.count_distinct(wrong["image_id"]).as_py()
    strips = []
    for title, words, rows, total, href in (
        (
            "Hardest images",
            "Those that the model does worst on.",
            hardest,
            not_right,
            links.wrong("error", sort="worst"),
        ),
        (
            "Most confident mistakes",
            "Wrong predictions that the model is surest of.",
            confident,
            not_right,
            links.wrong("error"),
        ),
        (
            "Labels that are likely to be wrong",
            (
                "The model disagrees with them and is as sure as it is when it is right, on images"
                " that it has not learnt from. A person decides."
            ),
            wrong,
            unlikely,
            links.label_errors(),
        ),
    ):
        ids = list(dict.fromkeys(rows["image_id"].to_pylist()))
        if ids:
            strips.append(
                Strip(
                    title=title,
                    words=words,
                    total=total,
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
