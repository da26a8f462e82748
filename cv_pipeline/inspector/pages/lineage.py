"""Lineage both ways: from anything to all that it was made from and all that was made from it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel

from cv_pipeline.catalog.snapshot.look_up import find_image
from cv_pipeline.errors import QueryError, nearest
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.data import links
from cv_pipeline.inspector.data.lineage_graph import Drawing, draw, graph_of
from cv_pipeline.inspector.data.lineage_nodes import SLUGS, Item, box_of, facts_of, items_of
from cv_pipeline.inspector.jobs import Job, JobState, Progress, jobs_of
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace, Workspace
from cv_pipeline.provenance.image_history import trace_image
from cv_pipeline.provenance.lineage_index import LineageIndex
from cv_pipeline.provenance.references import find_event, trace_metric
from cv_pipeline.provenance.trace import Trace, trace_event

routes = Routes("Lineage")

KINDS = (*SLUGS, "image", "metric")
CHOICES = ("model", "dataset", "evaluation", "candidate")


class Choice(BaseModel):
    """Something whose lineage can be looked at."""

    kind: str
    ref: str
    words: str
    href: str
    own: bool


class Lineage(BaseModel):
    """The lineage of one thing, drawn and as a list.

    Attributes:
        kind: what it is.
        ref: what was asked for.
        title: what it is called.
        facts: what is known of it.
        page: our page of it; empty where it has none.
        drawing: the graph; None while it is worked out.
        up: what it was made from, recursively.
        down: what was made from it, recursively.
        whole: whether the lists have everything.
        choices: the newest things that can be looked at instead.
        job: how far it is.
    """

    project: str
    kind: str
    ref: str
    title: str
    facts: dict[str, str]
    page: str
    drawing: Drawing | None
    up: list[Item]
    down: list[Item]
    whole: bool
    choices: list[Choice]
    job: JobState | None


@routes.page("/p/{project}/lineage", template="pages/lineage.html", permission=Permission.VIEW)
def newest_lineage(project: str, workspace: CurrentWorkspace) -> Lineage:
    """The lineage of the newest model, or else of the newest thing that there is."""
    workspace.project(project)
    with workspace.log() as log:
        for kind in (*CHOICES, *SLUGS):
            event = log.latest(f"{project}/{SLUGS[kind]}")
            if event is not None:
                trace = trace_event(log, event)
                return _lineage(workspace, project, kind, event.version, trace)
    return _empty(project, "model", "latest", [])


@routes.page(
    "/p/{project}/lineage/{kind}/{ref:path}",
    template="pages/lineage.html",
    permission=Permission.VIEW,
)
def lineage(
    project: str,
    kind: Annotated[str, Path(max_length=40)],
    ref: Annotated[str, Path(max_length=600)],
    workspace: CurrentWorkspace,
) -> Lineage:
    """What something was made from, and what was made from it.

    ``kind`` is model, dataset, evaluation, candidate, predictions, champion, images, features,
    annotations, error-analysis, image or metric. ``ref`` is a digest, a prefix or ``latest``; of
    an image also its path; of a metric ``NAME@EVALUATION``.
    """
    workspace.project(project)
    if kind not in KINDS:
        raise NotFound(f"{kind!r} cannot be traced.", do=nearest(kind, KINDS))
    if kind == "image":
        job = _trace_image(workspace, project, ref)
        if job.result is None:
            return _empty(project, kind, ref, _choices(workspace, project, kind, ref), job)
        return _lineage(workspace, project, kind, ref, job.result)
    with workspace.log() as log:
        if kind == "metric":
            trace = trace_metric(log, f"{project}/{_of_project(project, ref)}")
        else:
            event = find_event(log, asset=SLUGS[kind], ref=f"{project}@{ref}")
            trace = trace_event(log, event)
    return _lineage(workspace, project, kind, ref, trace)


def _of_project(project: str, ref: str) -> str:
    """A metric's reference without its project, which must be the one of the address."""
    named, slash, rest = ref.partition("/")
    metric = ref.rpartition("@")[0]
    if slash and named == project:
        return rest
    if slash and "/" in metric and named not in ("train", "val", "test"):
        raise NotFound(f"{ref!r} is no metric of project {project}.", do="Write METRIC@EVALUATION.")
    return ref


def _trace_image(workspace: Workspace, project: str, ref: str) -> Job[Trace]:
    """The lineage of an image, which looks into every dataset version."""
    snapshot = workspace.snapshot(project)
    try:
        number = find_image(snapshot, workspace.lake(project).catalog, ref)
    except QueryError as error:
        raise NotFound(error.what, do=error.do) from error
    image_id = snapshot.images["image_id"][number].as_py()
    with workspace.log() as log:
        newest = [log.latest(key) for key in log.asset_keys(project)]
    state = max((event.storage_id for event in newest if event), default=0)

    def work(_: Progress) -> Trace:
        return trace_image(
            LineageIndex(workspace.instance),
            workspace.store,
            image_id,
            cache=workspace.cache,
            project=project,
        )

    return jobs_of(workspace).ask(("lineage", project, image_id, state), work)


def _lineage(workspace: Workspace, project: str, kind: str, ref: str, trace: Trace) -> Lineage:
    graph = graph_of(trace)
    boxes = {key: box_of(project, node, own=key == graph.root) for key, node in graph.nodes.items()}
    up, all_up = items_of(project, list(trace.up), up=True)
    down, all_down = items_of(project, list(trace.down), up=False)
    own = boxes[graph.root]
    return Lineage(
        project=project,
        kind=kind,
        ref=ref,
        title=own.title if kind in ("image", "metric") else trace.node.version,
        facts=dict(facts_of(trace.node)),
        page=own.href,
        drawing=draw(graph, boxes),
        up=up,
        down=down,
        whole=all_up and all_down,
        choices=_choices(workspace, project, kind, trace.node.version),
        job=None,
    )


def _empty(
    project: str, kind: str, ref: str, choices: list[Choice], job: Job[Trace] | None = None
) -> Lineage:
    return Lineage(
        project=project,
        kind=kind,
        ref=ref,
        title=ref,
        facts={},
        page="",
        drawing=None,
        up=[],
        down=[],
        whole=True,
        choices=choices,
        job=JobState.of(job) if job else None,
    )


def _choices(workspace: Workspace, project: str, kind: str, version: str) -> list[Choice]:
    """The newest models, datasets and evaluations."""
    with workspace.log() as log:
        newest = [
            (name, event)
            for name in CHOICES[:3]
            for event in log.first_of_each_version(f"{project}/{SLUGS[name]}")[:-6:-1]
        ]
    return [
        Choice(
            kind=name,
            ref=event.version,
            words=f"{event.version[:12]}, {event.timestamp:%Y-%m-%d %H:%M}",
            href=links.page(project, "lineage", name, event.version),
            own=(name, event.version) == (kind, version),
        )
        for name, event in newest
    ]
