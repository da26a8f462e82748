"""What became of one image: its labels over time, all that it belongs to, and what is like it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from cv_pipeline.catalog.snapshot.referred import similar
from cv_pipeline.errors import ProvenanceError, QueryError
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.provenance.dataset_versions import history_of
from cv_pipeline.provenance.image_history import trace_image
from cv_pipeline.provenance.trace import Node, Trace

MOST_CHANGES = 500
NEIGHBOURS = 24
_PAGES = {"dataset": "datasets", "model": "models", "evaluation": "evaluations"}
_SHOWN = ("dataset", "model", "evaluation", "champion")


class LabelChange(BaseModel):
    """One thing that happened to the labels of an image, or to the image.

    Attributes:
        at: when.
        source: ``annotations``, or ``dataset`` for what a dataset version had.
        version: version of that.
        change: added, removed or changed; joined, left or moved.
        who: annotator, where that is known.
        what: in words.
        fields: columns that changed.
    """

    at: str
    source: str
    version: str
    change: str
    who: str | None
    what: str
    fields: str


class History(BaseModel):
    """What happened to the labels of an image, oldest first."""

    changes: list[LabelChange]
    more: int


class Belonging(BaseModel):
    """Something that an image was used by.

    Attributes:
        kind: dataset, model, evaluation or champion.
        name: what it is called.
        version: its digest.
        depth: steps from the image.
        at: when it was made.
        what: what there is to say of it.
        href: its page; empty where it has none.
        run: Dagster run that made it.
    """

    kind: str
    name: str
    version: str
    depth: int
    at: str | None
    what: str
    href: str
    run: str | None


class Belongings(BaseModel):
    """All that used an image, by dataset version.

    Attributes:
        used_by: what used it, each below what it was made from.
        dagster: address of Dagster's own page of runs.
        problem: why there is nothing.
    """

    used_by: list[Belonging]
    dagster: str
    problem: str = ""


class Neighbour(BaseModel):
    """An image that is like another, and how much so: 1 for the same picture."""

    id: str
    path: str
    similarity: float


class Neighbours(BaseModel):
    """The images that are most like one, the most alike first; or why there are none."""

    images: list[Neighbour]
    problem: str = ""


def history(workspace: Workspace, project: str, image_id: str) -> History:
    """What happened to the labels of an image.

    Raises:
        ProvenanceError: the project does not know it.
    """
    found = history_of(
        image_id,
        project=project,
        instance=workspace.instance,
        store=workspace.store,
        cache=workspace.cache,
    )
    columns = list(LabelChange.model_fields)
    rows = found.changes.select(columns)
    more = max(0, len(rows) - MOST_CHANGES)
    last = rows.slice(more).to_pylist()
    return History(
        changes=[LabelChange(**row | {"at": row["at"].isoformat()}) for row in last], more=more
    )


def belongings(workspace: Workspace, project: str, image_id: str) -> Belongings:
    """Everything that used an image."""
    try:
        with workspace.log() as log:
            trace = trace_image(
                log, workspace.store, image_id, cache=workspace.cache, project=project
            )
    except ProvenanceError as error:
        problem = "No dataset version holds it yet."
        if "lost" in error.do:
            problem += " Some versions are lost, and may have held it."
        return Belongings(used_by=[], dagster=workspace.dagster_ui, problem=problem)
    used = [b for below in reversed(trace.down) for b in _below(below, project, 0)]
    return Belongings(used_by=used, dagster=workspace.dagster_ui)


def neighbours(workspace: Workspace, project: str, image_id: str) -> Neighbours:
    """The images that are most like one, without itself and without what was taken out."""
    snapshot = workspace.snapshot(project)
    catalog = workspace.lake(project).catalog
    try:
        rows = similar(image_id, snapshot=snapshot, catalog=catalog)
    except QueryError:
        run = f"cvp run {project} --select image_features"
        return Neighbours(images=[], problem=f"It was not measured yet. Run: {run}")
    numbers, likeness = rows["n"].to_numpy(), rows["similarity"].to_numpy()
    own = int(snapshot.numbering.find(pa.array([image_id], pa.string()))[0])
    gone = snapshot.images["taken_out"].to_numpy()
    kept = (numbers != own) & ~gone[numbers]
    numbers, likeness = numbers[kept], likeness[kept]
    few = min(NEIGHBOURS, len(numbers))
    top = np.argpartition(-likeness, few - 1)[:few] if few else np.empty(0, np.int64)
    top = top[np.lexsort((numbers[top], -likeness[top]))]
    shown = snapshot.images.select(["image_id", "path"]).take(pa.array(numbers[top])).to_pylist()
    return Neighbours(
        images=[
            Neighbour(id=row["image_id"], path=row["path"], similarity=float(value))
            for row, value in zip(shown, likeness[top], strict=True)
        ]
    )


def _below(trace: Trace, project: str, depth: int) -> Iterator[Belonging]:
    """A thing and what was made of it; steps that nobody looks at are passed over."""
    node = trace.node
    shown = node.kind in _SHOWN
    if shown:
        page = _PAGES.get(node.kind)
        yield Belonging(
            kind=node.kind,
            name=node.key.rpartition("/")[2],
            version=node.version,
            depth=depth,
            at=node.timestamp,
            what=_words(node),
            href=f"/p/{quote(project, safe='')}/{page}/{quote(node.version, safe='')}"
            if page
            else "",
            run=node.run_id,
        )
    for below in trace.down:
        yield from _below(below, project, depth + shown)


def _words(node: Node) -> str:
    """What there is to say of something that used an image."""
    told = node.metadata
    if "lost" in told:
        return f"lost: {told['lost']}"
    match node.kind:
        case "dataset":
            labels = told.get("labels") or ()
            return f"in {told.get('split')}, with {len(labels)} labels"
        case "model":
            value = next((v for k, v in told.items() if k.startswith("val_")), None)
            return f"validation {value:.3f}" if isinstance(value, float) else ""
        case "evaluation":
            names = ("AP50", "accuracy", "AP", "recall", "precision")
            known = [(n, told[n]) for n in names if isinstance(told.get(n), float)]
            return ", ".join(f"{name} {value:.3f}" for name, value in known[:3])
        case _:
            return str(told.get("reason") or told.get("outcome") or "")
