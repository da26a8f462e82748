"""Queries: those with a name, those that were asked, each again, and questions as of a metric."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel

from cv_pipeline.catalog.datalake.query_log import AskedQuery, SavedQuery, is_query_id
from cv_pipeline.catalog.query import compile_query, parse
from cv_pipeline.errors import CVPipelineError, nearest
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.data.asking import Again, When, ask_again, ask_when, tags_of
from cv_pipeline.inspector.data.saved import SavedRow
from cv_pipeline.inspector.jobs import JobState
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.provenance.references import metrics_of

routes = Routes("Queries")

Sign = Literal[">=", "<=", ">", "<"]


class AskedRow(BaseModel):
    """A query that was asked."""

    query_id: str
    text: str
    sql: str
    count: int
    seconds: float
    origin: str
    actor: str
    at: datetime


class Question(BaseModel):
    """What the form of the page asks: when the metric was so good, which images had the tag."""

    metric: str
    sign: Sign
    number: float | None
    tag: str


class Queries(BaseModel):
    """Saved queries, the log of what was asked, and an answer to the form of the page."""

    project: str
    saved: list[SavedRow]
    asked: list[AskedRow]
    more: bool
    offset: int
    limit: int
    metrics: list[str]
    tags: list[str]
    question: Question
    job: JobState | None
    answer: When | None


class OneQuery(BaseModel):
    """One query, and what it selects as of then and today."""

    project: str
    which: str
    name: str
    text: str
    sql: str
    parameters: dict[str, Any]
    table_versions: dict[str, int]
    pins: dict[str, str]
    count: int
    digest: str
    actor: str
    at: datetime
    job: JobState
    again: Again | None


@routes.page("/p/{project}/queries", template="pages/queries.html", permission=Permission.VIEW)
def queries(
    project: str,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    metric: Annotated[str, Query(max_length=80)] = "",
    sign: Sign = ">=",
    number: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    tag: Annotated[str, Query(max_length=200)] = "",
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 15,
) -> Queries:
    """Saved and asked queries; with ``metric`` and ``number``, the images as of when it was so.

    ``metric`` is one that an evaluation recorded; ``tag`` limits the answer to images with it.
    """
    settings = workspace.project(project)
    lake = workspace.lake(project)
    metrics = _metrics(workspace, project, settings.metric)
    job = None
    if metric and number is not None:
        if metric not in metrics:
            raise NotFound(f"No evaluation has the metric {metric!r}.", do=nearest(metric, metrics))
        condition = f"{metric} {sign} {number:.12g}"
        job = ask_when(workspace, project, condition=condition, tag=tag, actor=access.user)
    log = lake.log(limit=offset + limit + 1)[offset:]
    return Queries(
        project=project,
        saved=[SavedRow.of(query) for query in lake.queries()],
        asked=[_asked_row(query) for query in log[:limit]],
        more=len(log) > limit,
        offset=offset,
        limit=limit,
        metrics=metrics,
        tags=tags_of(workspace, project),
        question=Question(
            metric=metric or (metrics[0] if metrics else ""), sign=sign, number=number, tag=tag
        ),
        job=JobState.of(job) if job else None,
        answer=job.result if job else None,
    )


@routes.page(
    "/p/{project}/queries/{which}", template="pages/query.html", permission=Permission.VIEW
)
def query(project: str, which: str, workspace: CurrentWorkspace, access: CurrentAccess) -> OneQuery:
    """A query asked again, as of then and on today's data, with what came and what went."""
    found = _find(workspace, project, which)
    job = ask_again(workspace, project, which, actor=access.user)
    asked = found if isinstance(found, AskedQuery) else None
    sql, parameters = (asked.sql, asked.parameters) if asked else _compiled(found.text)
    return OneQuery(
        project=project,
        which=which,
        name=found.name if isinstance(found, SavedQuery) else "",
        text=found.text,
        sql=sql,
        parameters=parameters,
        table_versions=found.table_versions,
        pins=found.pins,
        count=found.count,
        digest=found.digest,
        actor=found.actor,
        at=found.at,
        job=JobState.of(job),
        again=job.result,
    )


@routes.api("DELETE", "/p/{project}/queries/{name}", permission=Permission.COMMENT, status=200)
def forget_query(
    project: str,
    name: str,
    workspace: CurrentWorkspace,
    audit: CurrentAudit,
) -> SavedRow:
    """Take the name of a saved query away; the log keeps what was asked."""
    found = _find(workspace, project, name)
    if not isinstance(found, SavedQuery):
        raise NotFound(f"{name!r} is no name of a query but an id of the log, which stays.")
    workspace.lake(project).forget(name)
    audit("query.forget", name, project=project, text=found.text)
    return SavedRow.of(found)


def _find(workspace: Workspace, project: str, which: str) -> AskedQuery | SavedQuery:
    """A saved query, or one of the log.

    Raises:
        NotFound: there is none.
    """
    lake = workspace.lake(project)
    if is_query_id(which):
        for asked in lake.log():
            if asked.query_id == which:
                return asked
        raise NotFound(f"Project {project} has no query {which!r} in its log.")
    saved = {query.name: query for query in lake.queries()}
    if which not in saved:
        raise NotFound(f"Project {project} has no query {which!r}.", do=nearest(which, saved))
    return saved[which]


def _compiled(text: str) -> tuple[str, dict[str, Any]]:
    """The statement of a query; empty for one that cannot be understood any more."""
    try:
        compiled = compile_query(parse(text))
    except CVPipelineError:
        return "", {}
    return compiled.sql, dict(compiled.parameters)


def _metrics(workspace: Workspace, project: str, first: str) -> list[str]:
    """Metrics that evaluations recorded, of the headline's split; the optimizing one first."""
    with workspace.log() as log:
        known = {
            name
            for event in log.newest_first(f"{project}/eval_slices")
            for name in metrics_of(event)
            if name.isidentifier()
        }
    return sorted(known, key=lambda name: (name != first, name))


def _asked_row(query: AskedQuery) -> AskedRow:
    return AskedRow(
        query_id=query.query_id,
        text=query.text,
        sql=query.sql,
        count=query.count,
        seconds=query.seconds,
        origin=query.origin,
        actor=query.actor,
        at=query.at,
    )
