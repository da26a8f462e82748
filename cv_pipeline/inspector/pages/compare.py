"""Two models beside each other on the same images: how much better, how surely, and where."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.data.comparing import Compared, ask_comparison
from cv_pipeline.inspector.data.models import ModelRow, model_rows
from cv_pipeline.inspector.jobs import JobState
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace
from cv_pipeline.provenance.comparisons import find_model

routes = Routes("Models")


class Compare(BaseModel):
    """Two models of a project, compared.

    Attributes:
        models: what can be chosen: the models that were evaluated.
        before: digest of the first; empty when there are no two to compare.
        after: digest of the second.
        job: how far the comparison is; None when none was asked for.
        compared: the comparison, once it is done.
    """

    project: str
    metric: str
    models: list[ModelRow]
    before: str
    after: str
    job: JobState | None
    compared: Compared | None


@routes.page("/p/{project}/compare", template="pages/compare.html", permission=Permission.VIEW)
def compare(
    project: str,
    workspace: CurrentWorkspace,
    before: Annotated[str, Query(max_length=80)] = "",
    after: Annotated[str, Query(max_length=80)] = "",
) -> Compare:
    """Compare two models on the images that both were evaluated on.

    ``before`` and ``after`` are digests, prefixes, ``latest`` or ``champion``; by default the
    newest model that was evaluated, and its parent or the one before it.
    """
    settings = workspace.project(project)
    with workspace.log() as log:
        rows = [row for row in model_rows(log, settings) if row.evaluated]
        first, second = _by_default(rows)
        if before:
            first = find_model(log, project, before).version
        if after:
            second = find_model(log, project, after).version
    job = None
    if first and second:
        evaluations = frozenset(
            row.evaluated.evaluation
            for row in rows
            if row.evaluated and row.digest in (first, second)
        )
        job = ask_comparison(workspace, project, first, second, evaluations=evaluations)
    return Compare(
        project=project,
        metric=settings.metric,
        models=rows,
        before=first,
        after=second,
        job=JobState.of(job) if job else None,
        compared=job.result if job else None,
    )


def _by_default(rows: list[ModelRow]) -> tuple[str, str]:
    """The newest model and its parent or the one before it; the one model there is with nobody."""
    if len(rows) < 2:
        return "", rows[0].digest if rows else ""
    known = {row.digest for row in rows}
    newest = rows[0]
    return newest.parent if newest.parent in known else rows[1].digest, newest.digest
