"""One image with all that is known of it: its facts, its labels, what models say, and its place in
the query that it was opened from. What is gone is said, and what is known of it still shown.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel

from cv_pipeline.catalog.datalake.image import Image
from cv_pipeline.catalog.query.nodes import Comparison, Field
from cv_pipeline.catalog.query.text import condition_text
from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.catalog.snapshot.look_up import find_image
from cv_pipeline.errors import CVPipelineError, QueryError
from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.access.assignments import visible_numbers
from cv_pipeline.inspector.images.grid import Grid, GridState, open_grid
from cv_pipeline.inspector.images.labels import (
    LabelMark,
    LabelsThen,
    Prelabelled,
    labels_in,
    labels_now,
    labels_then,
    prelabels_of,
)
from cv_pipeline.inspector.images.marks import Mark, Outcomes, outcome_mark
from cv_pipeline.inspector.images.said import ModelSaid, models_on
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.storage import Tombstones

_FACTS = (
    *("width", "height", "bands", "dtype", "format", "bytes", "split", "source", "batch"),
    *("captured_at", "ingested_at", "brightness", "contrast", "sharpness", "saturation", "hue"),
    *("disagreement", "annotators_count"),
)
_OF_LABELS = ("disagreement", "annotators_count")


class Fact(BaseModel):
    """Something that is known of an image; ``query`` selects the images that share it."""

    name: str
    value: str | int | float | None
    query: str = ""


class Place(BaseModel):
    """Where an image is in the query that it was opened from.

    Attributes:
        position: from 0; None where the query does not have it.
        total: images of the query.
        previous: id of the image before it.
        next: id of the image after it.
        problem: why the query cannot be asked.
    """

    position: int | None = None
    total: int = 0
    previous: str | None = None
    next: str | None = None
    problem: str = ""


class Gone(BaseModel):
    """An image that was taken out: when, by whom and why."""

    at: str
    actor: str
    reason: str


class Evaluation(BaseModel):
    """What an evaluation says of the image.

    Attributes:
        digest: of the evaluation.
        model: its model.
        dataset: its dataset version.
        split: the split that the image is in there; None where it was not evaluated.
        score: how well the model did on it.
        correct: whether it made no mistake on it.
        truth: true class, for classification.
        predicted: predicted class, for classification.
        marks: what the model got right and wrong.
        labels: labels of then.
        problem: why there is nothing.
    """

    digest: str
    model: str
    dataset: str
    split: str | None = None
    score: float | None = None
    correct: bool | None = None
    truth: str | None = None
    predicted: str | None = None
    marks: list[Mark] = []
    labels: list[LabelMark] = []
    problem: str = ""


class ImagePage(BaseModel):
    """One image.

    Attributes:
        project: name of the project.
        id: the image.
        path: its path in its source.
        width: pixels.
        height: pixels.
        state: the query and so on that it was opened from.
        place: its place there.
        facts: what it is.
        metadata: its metadata.
        tags: its tags.
        labels: its labels as they are now, of every annotator.
        then: its labels in the earlier state of the address; None without one.
        prelabels: what models suggested to annotators on it, the newest first.
        classes: classes of the project, in their order.
        evaluation: what the evaluation of the address says; None without one.
        models: models that can be compared; the chosen ones with what they say.
        gone: when it was taken out; None while it is there.
        blind: whether labels and predictions are kept from whoever looks, so that they judge
            for themselves.
    """

    project: str
    id: str
    path: str
    width: int
    height: int
    state: dict[str, str | int]
    place: Place
    facts: list[Fact]
    metadata: list[Fact]
    tags: list[Fact]
    labels: list[LabelMark]
    then: LabelsThen | None
    prelabels: list[Prelabelled]
    classes: list[str]
    evaluation: Evaluation | None
    models: list[ModelSaid]
    gone: Gone | None
    blind: bool


def open_image(
    workspace: Workspace,
    access: Access,
    project: str,
    ref: str,
    *,
    state: GridState,
    position: int | None,
    models: list[str],
    then: str = "",
) -> ImagePage:
    """One image as whoever asks may see it.

    Args:
        workspace: what pages read.
        access: who asks.
        project: name of the project.
        ref: the image: its SHA-256, a prefix of it, or its path.
        state: what it was opened from.
        position: its position there, if that is known.
        models: digests of the models to compare, or beginnings; the evaluation's by default.
        then: an earlier state of its labels: a dataset version's digest, or a version of the
            table of annotations; empty for none.

    Raises:
        NotFound: the project has no such image.
    """
    snapshot = workspace.snapshot(project)
    number = _number(workspace, project, snapshot, ref)
    image = Image(snapshot, workspace.lake(project).catalog, number)
    facts = image.properties
    size = (int(facts["width"]), int(facts["height"]))
    blind = visible_numbers(access, workspace, project) is not None
    grid, place = _place(workspace, access, project, state, image.id, position)
    found = grid.outcomes if grid is not None else None
    there = _number_in(grid, image.id) if grid is not None else -1
    chosen = models or ([found.evaluated.model.version] if found else [])
    metric = workspace.project(project).metric
    return ImagePage(
        project=project,
        id=image.id,
        path=image.path,
        width=size[0],
        height=size[1],
        state=asdict(grid.state if grid else state),
        place=place,
        facts=[
            Fact(name=name, value=_plain(facts[name]), query=_same(Field(name), facts[name]))
            for name in _FACTS
            if facts[name] is not None and not (blind and name in _OF_LABELS)
        ],
        metadata=[
            Fact(name=key, value=value, query=_same(Field("metadata", key), value))
            for key, value in image.metadata.items()
        ],
        tags=[Fact(name=tag, value=tag, query=_same(Field("tag"), tag)) for tag in image.tags],
        labels=[] if blind else labels_now(workspace, project, snapshot, image.id, size),
        then=labels_then(workspace, project, then, image.id, size) if then and not blind else None,
        prelabels=[] if blind else prelabels_of(workspace, project, image.id, size),
        classes=list(workspace.project(project).ontology.labels),
        evaluation=_evaluation(workspace, project, found, image.id, there, size),
        models=[]
        if blind
        else models_on(workspace, project, image.id, size, chosen=chosen, metric=metric),
        gone=_gone(workspace, image.id),
        blind=blind,
    )


def _number(workspace: Workspace, project: str, snapshot: Snapshot, ref: str) -> int:
    number = int(snapshot.numbering.find(pa.array([ref], pa.string()))[0])
    if number >= 0:
        return number
    try:
        return find_image(snapshot, workspace.lake(project).catalog, ref)
    except QueryError as error:
        raise NotFound(error.what, do=error.do) from error


def _place(
    workspace: Workspace,
    access: Access,
    project: str,
    state: GridState,
    image_id: str,
    position: int | None,
) -> tuple[Grid | None, Place]:
    """Where an image is in a query; a query that cannot be asked any more says why."""
    try:
        grid = open_grid(workspace, access, project, state)
    except CVPipelineError as error:
        return None, Place(problem=f"{error.what} {error.do}".strip())
    numbers, number = grid.numbers, _number_in(grid, image_id)
    if position is None or not (position < len(numbers) and numbers[position] == number):
        found: NDArray[np.intp] = np.flatnonzero(numbers == number)
        position = int(found[0]) if len(found) else None
    if position is None:
        return grid, Place(total=grid.total)
    around = [p for p in (position - 1, position + 1) if 0 <= p < len(numbers)]
    ids = grid.selection.snapshot.image_ids(numbers[around]).to_pylist() if around else []
    named = dict(zip(around, ids, strict=True))
    return grid, Place(
        position=position,
        total=grid.total,
        previous=named.get(position - 1),
        next=named.get(position + 1),
    )


def _number_in(grid: Grid, image_id: str) -> int:
    """Number of an image in the snapshot that a grid is of; -1 where it lacks the image."""
    found = grid.selection.snapshot.numbering.find(pa.array([image_id], pa.string()))
    return int(found[0])


def _evaluation(
    workspace: Workspace,
    project: str,
    found: Outcomes | None,
    image_id: str,
    number: int,
    size: tuple[int, int],
) -> Evaluation | None:
    if found is None:
        return None
    record = found.evaluated.evaluation.record
    said = Evaluation(digest=record.digest, model=record.model, dataset=record.dataset)
    try:
        said.labels = labels_in(workspace, project, record.dataset, image_id, size)
    except CVPipelineError as error:
        said.problem = error.what
    at = int(found.evaluated_at[number]) if number >= 0 else -1
    if at < 0:
        said.problem = said.problem or "The evaluation is not of this image."
        return said
    columns = ["split", "score", "correct", "truth", "predicted"]
    row = found.evaluated.evaluation.per_image.select(columns).slice(at, 1).to_pylist()[0]
    rows = found.rows.of(np.array([number], np.int32), most=None)[0]
    marks = [outcome_mark(row, size) for row in rows]
    return said.model_copy(update={**row, "marks": marks})


def _gone(workspace: Workspace, image_id: str) -> Gone | None:
    tombstone = Tombstones(workspace.store).get(image_id)
    if tombstone is None:
        return None
    return Gone(at=tombstone.at.isoformat(), actor=tombstone.actor, reason=tombstone.reason)


def _same(field: Field, value: object) -> str:
    """The query of the images that share a text; empty for anything else."""
    return condition_text(Comparison(field, "=", value)) if isinstance(value, str) else ""


def _plain(value: object) -> str | int | float | None:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    if isinstance(value, bool) or value is None:
        return None if value is None else str(value).lower()
    return value if isinstance(value, int | float) else str(value)
