"""The grid of images: any number of them, by a query, an evaluation or a training epoch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import numpy as np
from fastapi import Depends, Query
from pydantic import BaseModel

from cv_pipeline.catalog.query.fields import BLOCKS, FIELDS
from cv_pipeline.catalog.query.nodes import Field
from cv_pipeline.errors import CVPipelineError
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.images.among import Among
from cv_pipeline.inspector.images.conditions import choice_of, read, text_of
from cv_pipeline.inspector.images.facets import FacetCounter, Facets
from cv_pipeline.inspector.images.grid import Grid, GridState, filtered, open_grid, taken_out
from cv_pipeline.inspector.images.items import GridItem, aspect_of, grid_items
from cv_pipeline.inspector.images.refine import refined
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace

routes = Routes("Images")

FIRST = 72
"""Images that come with the page itself."""
_BETWEEN = (
    *("and", "or", "not", "is set", "is not set", "between", "in (", "starts with"),
    *("order by", "limit", "sample", "all images"),
)
MOST = 300
"""Images that are read at once."""

Text = Annotated[str, Query(max_length=65_536)]
Name = Annotated[str, Query(max_length=500)]
NamedImages = Annotated[str, Query(max_length=2_000, description="Images named as a whole.")]


class Problem(BaseModel):
    """Why there is nothing to show, and what to do."""

    what: str
    do: str


class EvaluationHead(BaseModel):
    """The evaluation that images are shown of."""

    digest: str
    model: str
    dataset: str
    split: str
    metric: str
    value: float | None
    task: str


class GridPage(BaseModel):
    """The grid of images.

    Attributes:
        project: name of the project.
        state: what is shown: query, evaluation, class, kind, order, model and epoch.
        canonical: the query in its canonical text form.
        total: images that it has.
        taken_out: images that it would have besides, had they not been taken out.
        taken_out_query: the query for those; empty where there are none.
        start: position of the first of ``items``.
        items: the first images from there.
        aspect: width of a cell to its height.
        labels: classes of the project, in their order.
        focus: classes that the images are filtered by: others are not drawn.
        evaluation: the evaluation; None without one.
        moment: as of when the lake was asked, in words; empty for now.
        among: the images that are named as a whole, in words; empty where none are.
        problem: why there is nothing to show; None when there is something.
    """

    project: str
    state: dict[str, str | int]
    canonical: str = ""
    total: int = 0
    taken_out: int = 0
    taken_out_query: str = ""
    start: int = 0
    items: list[GridItem] = []
    aspect: float = 1.0
    labels: list[str] = []
    focus: list[str] = []
    evaluation: EvaluationHead | None = None
    moment: str = ""
    among: str = ""
    problem: Problem | None = None


class GridRows(BaseModel):
    """A stretch of the grid."""

    total: int
    start: int
    items: list[GridItem]


class ConditionCounted(BaseModel):
    """One condition, the images that it has alone, and what it may have meant if none."""

    text: str
    count: int
    hint: str = ""


class Word(BaseModel):
    """A word that a query can have next, and what it is."""

    text: str
    about: str


class Words(BaseModel):
    """Words of the query language."""

    words: list[Word]


class ImageCount(BaseModel):
    """How many images a query has, or why it has none that can be counted."""

    count: int | None
    canonical: str = ""
    problem: Problem | None = None


class ConditionCounts(BaseModel):
    """How many images each condition of a query has alone."""

    conditions: list[ConditionCounted]


class Refined(BaseModel):
    """The text of another query."""

    q: str


def _state(
    q: Text = "",
    evaluation: Name = "",
    label: Name = "",
    kind: Name = "",
    sort: Name = "",
    model: Name = "",
    epoch: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    like: Annotated[str, Query(max_length=7_000)] = "",
    as_of: Name = "",
    among: NamedImages = "",
) -> GridState:
    return GridState(q, evaluation, label, kind, sort, model, epoch, like, as_of.strip(), among)


CurrentState = Annotated[GridState, Depends(_state)]
"""A parameter of a view: what of the images is shown."""


@routes.page("/p/{project}/images", template="pages/images.html", permission=Permission.ASSIGNED)
def images(
    project: str,
    state: CurrentState,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    position: Annotated[int, Query(ge=0)] = 0,
) -> GridPage:
    """The images of a query, in order, with what is drawn over them."""
    labels = list(workspace.project(project).ontology.labels)
    try:
        grid = open_grid(workspace, access, project, state)
    except CVPipelineError as error:
        problem = Problem(what=error.what, do=error.do)
        return GridPage(project=project, state=asdict(state), labels=labels, problem=problem)
    start = max(0, min(position, grid.total - FIRST // 2))
    gone, gone_query = taken_out(grid)
    return GridPage(
        project=project,
        state=asdict(grid.state),
        canonical=grid.selection.text,
        total=grid.total,
        taken_out=gone,
        taken_out_query=gone_query,
        start=start,
        items=grid_items(workspace, grid, start=start, count=FIRST),
        aspect=aspect_of(grid.selection.snapshot, grid.numbers),
        labels=labels,
        focus=_focus(grid),
        evaluation=_head(grid),
        moment=grid.moment,
        among=Among.read(grid.state.among).words if grid.state.among else "",
    )


@routes.api("GET", "/p/{project}/images/rows", permission=Permission.ASSIGNED)
def image_rows(
    project: str,
    state: CurrentState,
    workspace: CurrentWorkspace,
    access: CurrentAccess,
    start: Annotated[int, Query(ge=0)] = 0,
    count: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> GridRows:
    """A stretch of the images of a query, in order."""
    grid = open_grid(workspace, access, project, state)
    items = grid_items(workspace, grid, start=start, count=count)
    return GridRows(total=grid.total, start=start, items=items)


@routes.api("GET", "/p/{project}/images/count", permission=Permission.ASSIGNED)
def image_count(
    project: str, state: CurrentState, workspace: CurrentWorkspace, access: CurrentAccess
) -> ImageCount:
    """How many images a query has; a mistake in it is told, with its place, and is no error."""
    try:
        grid = open_grid(workspace, access, project, state)
    except CVPipelineError as error:
        return ImageCount(count=None, problem=Problem(what=error.what, do=error.do))
    return ImageCount(count=grid.total, canonical=grid.selection.text)


@routes.api("GET", "/p/{project}/images/facets", permission=Permission.ASSIGNED)
def image_facets(
    project: str, state: CurrentState, workspace: CurrentWorkspace, access: CurrentAccess
) -> Facets:
    """What the images of a query can be filtered by, with the number of images of each value."""
    grid = open_grid(workspace, access, project, state)
    return FacetCounter(workspace, project, grid).count()


@routes.api("GET", "/p/{project}/images/refine", permission=Permission.ASSIGNED)
def refine_images(
    project: str,
    workspace: CurrentWorkspace,
    name: Name,
    q: Text = "",
    value: Annotated[str | None, Query(max_length=2000)] = None,
    how: Name = "toggle",
    low: float | None = None,
    high: float | None = None,
) -> Refined:
    """The query with a filter changed: a value chosen or taken back, or a number between two."""
    workspace.project(project)
    return Refined(q=text_of(refined(read(q), name, value, how, low=low, high=high)))


@routes.api("GET", "/p/{project}/images/conditions", permission=Permission.ASSIGNED)
def image_conditions(
    project: str, state: CurrentState, workspace: CurrentWorkspace, access: CurrentAccess
) -> ConditionCounts:
    """How many images each condition of a query has alone: where one has none, it is why."""
    grid = open_grid(workspace, access, project, state)
    if grid.visible is not None:
        return ConditionCounts(conditions=[])
    counts = workspace.lake(project).count_conditions(grid.selection)
    told = [ConditionCounted(text=c.text, count=c.count, hint=c.hint) for c in counts]
    if grid.outcomes is not None and (state.label or state.kind):
        text = " and ".join(filter(None, (state.label, state.kind)))
        told.append(ConditionCounted(text=f"evaluation: {text}", count=_of_state(grid)))
    return ConditionCounts(conditions=told)


@routes.api("GET", "/p/{project}/images/words", permission=Permission.ASSIGNED)
def query_words(project: str, workspace: CurrentWorkspace) -> Words:
    """Words of the query language, for completion: fields, brackets, and words between them."""
    workspace.project(project)
    fields = [Word(text=s.name, about=s.description) for s in FIELDS["images"].values()]
    blocks = [Word(text=f"{name}(", about=about) for name, about in BLOCKS.items()]
    between = [Word(text=text, about="") for text in _BETWEEN]
    return Words(words=[*(w for w in fields if "." not in w.text), *blocks, *between])


def _of_state(grid: Grid) -> int:
    everything = np.arange(len(grid.selection.snapshot.images), dtype=np.int32)
    return len(filtered(everything, grid.state, grid.outcomes))


def _focus(grid: Grid) -> list[str]:
    """Classes that the images are filtered by."""
    if grid.state.label:
        return [grid.state.label]
    return [str(value) for value in choice_of(grid.query, Field("label")).values]


def _head(grid: Grid) -> EvaluationHead | None:
    if grid.outcomes is None:
        return None
    made = grid.outcomes.evaluated.evaluation
    return EvaluationHead(
        digest=made.digest,
        model=made.record.model,
        dataset=made.record.dataset,
        split=made.record.split,
        metric=made.record.metric,
        value=made.metrics.get(made.record.metric),
        task=made.record.task,
    )
