"""The images of a batch with where each stands, and the tasks that somebody labels next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from cv_pipeline.catalog.snapshot import Snapshot
from cv_pipeline.catalog.snapshot.rows import take_rows
from cv_pipeline.inspector.access.assignments import images_of
from cv_pipeline.inspector.labeling.reading import names_of, state_of, task_link
from cv_pipeline.inspector.workspace import Workspace
from cv_pipeline.labeling.batches.declared import LabelingBatch
from cv_pipeline.labeling.batches.image_states import STATES, image_states, next_tasks

SHOWN = 60
"""Images on a page."""
OWN = "own"
"""In place of a state: what is meant for whoever asks."""
WORDS = {
    "open": "open",
    "partly": "labelled in part",
    "skipped": "skipped",
    "quarantined": "quarantined",
    "review": "in review",
    "labelled": "labelled",
    "waiting": "not in the tool",
    "gone": "deleted in the tool",
}
_KINDS = {
    "labelled": "good",
    "partly": "info",
    "review": "accent",
    "skipped": "warn",
    "quarantined": "bad",
    "gone": "bad",
}
_TABLES = (
    "image_batches",
    "labeling_batches",
    "labeling_tasks",
    "tool_annotations",
    "tool_people",
    "quarantine",
)


class TaskImage(BaseModel):
    """An image of a batch.

    Attributes:
        state: where it stands: open, partly, skipped, quarantined, review, labelled, waiting, gone.
        words: the same in words.
        kind: how that is coloured.
        labelled: whether as many people labelled it as are to.
        own: whether it is meant for whoever asks, who has not looked at it yet.
        tool_url: its task in the annotation tool; empty where it is none.
        why: why it is quarantined; empty for any other, and for annotators, who do not know who
            else labelled an image and how.
    """

    image_id: str
    path: str
    state: str
    words: str
    kind: str
    labelled: bool
    own: bool
    tool_url: str
    why: str


class StateCount(BaseModel):
    """How many images of a batch are in a state, and what that means."""

    state: str
    words: str
    means: str
    images: int


class NextTask(BaseModel):
    """A task to label next; ``free`` when it is meant for nobody in particular."""

    batch: str
    image_id: str
    task: int
    free: bool
    tool_url: str


@dataclass(frozen=True)
class ImagePage:
    """Some images of a batch.

    Attributes:
        images: a part of those that are shown.
        states: every state that some of its images are in, and how many.
        total: how many images are shown in all.
    """

    images: list[TaskImage]
    states: list[StateCount]
    total: int


def images_page(
    workspace: Workspace,
    project: str,
    batch: LabelingBatch,
    *,
    state: str = "",
    offset: int = 0,
    account: str = "",
    reasons: bool = True,
) -> ImagePage:
    """Some images of a batch, in the order of the tool's tasks, those of whoever asks first.

    Args:
        workspace: what pages read.
        project: name of the project.
        batch: the batch.
        state: only images in this state, or ``own``; empty for all.
        offset: how many come before.
        account: of whoever asks.
        reasons: whether it is told why images are quarantined, which names who made what of them.
    """
    snapshot = workspace.snapshot(project)
    names = names_of(workspace, project, account)
    key = (
        "batch images", *_state(snapshot), *state_of(workspace, project, _TABLES), batch.name,
        batch.overlap, *names,
    )  # fmt: skip
    rows: pa.Table = workspace.kept.get(key, lambda: _rows(workspace, snapshot, batch, names))
    counted = {c["values"]: c["counts"] for c in rows["state"].value_counts().to_pylist()}
    own = pc.sum(rows["own"]).as_py() or 0
    states = [
        StateCount(state=name, words=WORDS[name], means=means, images=counted[name])
        for name, means in STATES.items()
        if name in counted
    ]
    if own:
        mean = "are meant for you, and you have not looked at them yet"
        states.insert(0, StateCount(state=OWN, words="for you", means=mean, images=own))
    if state == OWN:
        rows = rows.filter(rows["own"])
    elif state:
        rows = rows.filter(pc.equal(rows["state"], state))
    shown = rows.slice(offset, SHOWN).to_pylist()
    # of a batch that is paused or cancelled the tool is shown no images
    linked = batch.state not in ("paused", "cancelled")
    images = [_image(workspace, project, row, linked=linked, reasons=reasons) for row in shown]
    return ImagePage(images, states, len(rows))


def tasks_next(
    workspace: Workspace,
    project: str,
    batches: Sequence[LabelingBatch],
    *,
    account: str,
    most: int = SHOWN,
) -> tuple[list[NextTask], int]:
    """The tasks that somebody labels next, and how many there are in all.

    Args:
        workspace: what pages read.
        project: name of the project.
        batches: batches that they see, what is urgent first.
        account: of whoever asks.
        most: tasks that are wanted.
    """
    catalog = workspace.lake(project).catalog
    names = names_of(workspace, project, account)
    key = (
        "next tasks", *state_of(workspace, project, _TABLES), account, most, *names,
        *((b.name, b.state, b.overlap) for b in batches),
    )  # fmt: skip
    rows: pa.Table = workspace.kept.get(
        key, lambda: next_tasks(catalog, batches, names=names, account=account, most=most)
    )
    found = rows.to_pylist()
    tasks = [
        NextTask(
            batch=row["batch"],
            image_id=row["image_id"],
            task=row["task"],
            free=row["free"],
            tool_url=task_link(workspace, project, row["tool_project"], row["task"]),
        )
        for row in found
    ]
    return tasks, found[0]["total"] if found else 0


def _state(snapshot: Snapshot) -> tuple[str, ...]:
    """What tells the images of batches in a snapshot, and which have labels, from any others."""
    return tuple(snapshot.identities[n] for n in ("images", "image_batches", "annotations"))


def _rows(
    workspace: Workspace, snapshot: Snapshot, batch: LabelingBatch, names: Sequence[str]
) -> pa.Table:
    """``IMAGE_STATES`` with the paths of the images."""
    numbers = images_of(snapshot, [batch.name])
    columns = ["image_id", "path", "annotations_count"]
    known = take_rows(snapshot.images.select(columns), numbers)
    images = pa.table(
        {"image_id": known["image_id"], "labelled": pc.greater(known["annotations_count"], 0)}
    )
    catalog = workspace.lake(snapshot.project).catalog
    found = image_states(catalog, batch, images, names=names)
    place = pc.index_in(found["image_id"], value_set=known["image_id"].combine_chunks())
    return found.append_column("path", known["path"].take(np.asarray(place)))


def _image(
    workspace: Workspace, project: str, row: dict[str, object], *, linked: bool, reasons: bool
) -> TaskImage:
    state = str(row["state"])
    return TaskImage(
        image_id=str(row["image_id"]),
        path=str(row["path"]),
        state=state,
        words=WORDS[state],
        kind=_KINDS.get(state, ""),
        labelled=state == "labelled",
        own=bool(row["own"]),
        tool_url=task_link(workspace, project, row["tool_project"], row["task"]) if linked else "",
        why=str(row["why"]) if reasons and state == "quarantined" else "",
    )
