"""How far batches are, by what was pushed and pulled, and which are stuck and why.

All of it is derived from ``labeling_tasks`` and ``tool_annotations`` when somebody asks: an image
is labelled when as many annotators as the batch's overlap have an annotation on it that counts
(:mod:`counted`). Each batch is looked at for itself, so that a stuck one holds up no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from cv_pipeline.catalog.schemas.image_batches import IMAGE_BATCHES
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.states import Declared, State
from cv_pipeline.labeling.exchange.counted import LOOKED_AT, counted_annotations

STUCK_HOURS = 48.0
"""Hours without an annotation after which a batch counts as stuck."""

_SET_ASIDE_SQL = """
SELECT name, min("at") AS "at", arg_min(images, "at") AS images, arg_min(purpose, "at") AS purpose,
    arg_min(reason, "at") AS reason, arg_min(actor, "at") AS actor
FROM (
    SELECT name, "at", count(*) AS images, any_value(purpose) AS purpose,
        any_value(reason) AS reason, any_value(actor) AS actor
    FROM image_batches
    GROUP BY name, "at"
)
GROUP BY name
"""

_TASKS_SQL = """
SELECT batch, count(*) FILTER (state = 'pushed') AS pushed,
    count(*) FILTER (state = 'deleted') AS deleted, max(pushed_at) AS pushed_at,
    max(tool_project) AS tool_project
FROM labeling_tasks
GROUP BY batch
"""

_LABELLED_SQL = """
WITH per_image AS (
    SELECT batch, image_id, count(DISTINCT annotator) FILTER (NOT cancelled) AS labels,
        count(*) FILTER (NOT cancelled) AS annotations, bool_or(cancelled) AS skipped,
        max(updated_at) AS last_at
    FROM current
    GROUP BY batch, image_id
),
again AS (
    SELECT image_id, max("at") AS "at" FROM image_batches WHERE purpose = 'relabel' GROUP BY 1
)
SELECT p.batch, count(*) FILTER (labels >= overlap) AS labelled,
    count(*) FILTER (labels > 0 AND labels < overlap) AS partly,
    count(*) FILTER (skipped AND labels < overlap) AS skipped,
    count(*) FILTER (labels > 0 AND again."at" > last_at) AS rejected,
    sum(least(labels, overlap))::BIGINT AS labels, sum(annotations)::BIGINT AS annotations,
    max(last_at) AS last_at
FROM per_image AS p JOIN settings USING (batch) LEFT JOIN again USING (image_id)
GROUP BY p.batch
"""

_ANNOTATORS_SQL = """
SELECT batch, list_sort(list(DISTINCT annotator)) AS annotators
FROM current
WHERE NOT cancelled
GROUP BY batch
"""


@dataclass(frozen=True)
class LabelingBatch:
    """A batch with its settings, its state and how far it is.

    Attributes:
        name: of the batch.
        state: where it stands, by what was declared and what was pulled.
        declared: whether its settings were declared; else they are the defaults.
        task_type: what is to be done with its images.
        difficulty: easy, medium or hard.
        queue: name of the queue that it waits in.
        owner: account of who answers for it; empty for nobody.
        overlap: how many annotators label each image.
        priority: what comes first: the larger.
        deadline: when it is to be done; None for no time.
        pilot: whether it is a pilot round.
        purpose: label or relabel.
        reason: why the images were set aside.
        images: how many there are.
        pushed: how many of them are tasks in the tool.
        deleted: how many were tasks and were deleted in the tool.
        labelled: how many have as many labels as the overlap asks for.
        partly: how many have some, and not as many.
        skipped: how many were skipped by an annotator and are not labelled.
        rejected: how many were labelled and then set aside to be labelled again.
        labels: annotations that count, at most the overlap for each image.
        annotations: annotations that there are.
        annotators: pseudonyms of who made them, sorted.
        tool_project: number of the project in the tool; None before it is pushed.
        last_at: when the last annotation was made or changed; None for never.
        set_aside_at: when the images were set aside.
        changed_at: when its settings or state were last changed; None for never.
        stuck: why it is stuck; empty where it is not.
    """

    name: str
    state: State
    declared: bool
    task_type: str
    difficulty: str
    queue: str
    owner: str
    overlap: int
    priority: int
    deadline: datetime | None
    pilot: bool
    purpose: str
    reason: str
    images: int
    pushed: int
    deleted: int
    labelled: int
    partly: int
    skipped: int
    rejected: int
    labels: int
    annotations: int
    annotators: tuple[str, ...]
    tool_project: int | None
    last_at: datetime | None
    set_aside_at: datetime
    changed_at: datetime | None
    stuck: str = ""

    @property
    def wanted(self) -> int:
        """Labels that it takes in all: those of images that were deleted in the tool are not."""
        return max(self.images - self.deleted, 0) * self.overlap

    @property
    def open_labels(self) -> int:
        """Labels that are still to be made; none where it is cancelled."""
        return 0 if self.state == "cancelled" else max(self.wanted - self.labels, 0)


def found_batches(
    catalog: Catalog, declared: Mapping[str, Declared], *, stuck_hours: float, now: datetime
) -> list[LabelingBatch]:
    """Every batch of images that were set aside, what is urgent first.

    Args:
        catalog: the project's tables.
        declared: name to what was declared.
        stuck_hours: hours without an annotation after which a batch counts as stuck.
        now: the moment that deadlines are compared with.
    """
    set_aside = catalog.table("image_batches").relation()
    batches = run_sql(_SET_ASIDE_SQL, relations={"image_batches": set_aside}).to_pylist()
    pushed = catalog.table("labeling_tasks").relation()
    tasks = _by_batch(run_sql(_TASKS_SQL, relations={"labeling_tasks": pushed}))
    current = counted_annotations(catalog, columns=[*LOOKED_AT, "updated_at"], skipped=True)
    overlaps = [declared.get(b["name"], Declared(b["name"])).overlap for b in batches]
    settings = pa.table(
        {
            "batch": pa.array([b["name"] for b in batches], pa.string()),
            "overlap": pa.array(overlaps, pa.int32()),
        }
    )
    # the images themselves are read only where some were set aside to be labelled again
    again = any(batch["purpose"] == "relabel" for batch in batches)
    images = set_aside if again else IMAGE_BATCHES.empty_table()
    relations = {"current": current, "image_batches": images, "settings": settings}
    labelled = _by_batch(run_sql(_LABELLED_SQL, relations=relations))
    annotators = _by_batch(run_sql(_ANNOTATORS_SQL, relations={"current": current}))
    found = [
        _one(
            batch,
            declared.get(batch["name"]),
            {**tasks.get(batch["name"], {}), **labelled.get(batch["name"], {})},
            tuple(annotators.get(batch["name"], {}).get("annotators", ())),
            stuck_hours=stuck_hours,
            now=now,
        )
        for batch in batches
    ]
    return sorted(found, key=_urgency)


def stuck_reason(
    batch: LabelingBatch, *, pushed_at: datetime | None, hours: float, now: datetime
) -> str:
    """Why a batch does not get on, as a sentence; empty where it does, or need not.

    Args:
        batch: the batch.
        pushed_at: when its tasks were last pushed; None for never.
        hours: hours without an annotation after which it counts as stuck.
        now: the present.
    """
    if batch.state in ("done", "cancelled", "paused"):
        return ""
    if batch.deleted and not batch.pushed:
        return f"its {batch.deleted:,} tasks are gone from the tool; push it again"
    reasons = []
    if batch.deadline is not None and now > batch.deadline:
        late = now - batch.deadline
        reasons.append(f"past its deadline by {_long(late)}")
    if batch.state in ("pushed", "in_progress"):
        since = max((t for t in (batch.last_at, pushed_at, batch.changed_at) if t), default=None)
        if since is not None and now - since > timedelta(hours=hours):
            reasons.append(f"no annotation for {_long(now - since)}")
        open_images = batch.images - batch.deleted - batch.labelled
        if batch.skipped and batch.skipped == open_images:
            reasons.append(f"all that is left, {batch.skipped:,}, was skipped by annotators")
    return " and ".join(reasons)


def _one(
    batch: Mapping[str, Any],
    declared: Declared | None,
    facts: Mapping[str, Any],
    annotators: tuple[str, ...],
    *,
    stuck_hours: float,
    now: datetime,
) -> LabelingBatch:
    told = declared or Declared(batch["name"])
    counts: dict[str, Any] = {
        name: facts.get(name) or 0
        for name in (
            "pushed",
            "deleted",
            "labelled",
            "partly",
            "skipped",
            "rejected",
            "labels",
            "annotations",
        )
    }
    one = LabelingBatch(
        name=batch["name"],
        state=_reached(told, images=batch["images"], **counts),
        declared=declared is not None,
        **told.settings,
        purpose=batch["purpose"],
        reason=batch["reason"],
        images=batch["images"],
        **counts,
        annotators=annotators,
        tool_project=facts.get("tool_project"),
        last_at=facts.get("last_at"),
        set_aside_at=batch["at"],
        changed_at=told.changed_at,
    )
    why = stuck_reason(one, pushed_at=facts.get("pushed_at"), hours=stuck_hours, now=now)
    return LabelingBatch(**{**vars(one), "stuck": why})


def _reached(
    declared: Declared,
    *,
    images: int,
    pushed: int,
    deleted: int,
    labelled: int,
    annotations: int,
    **_: int,
) -> State:
    """The state of a batch by what was declared and pulled; a pause and an end are people's."""
    if declared.state in ("paused", "cancelled"):
        return declared.state
    if annotations:
        finished = labelled and labelled >= images - deleted
        return "done" if finished else "in_progress"
    if pushed or deleted or declared.state != "open":
        return "pushed" if declared.state in ("open", "pushed") else "in_progress"
    return "open"


def _urgency(batch: LabelingBatch) -> tuple[Any, ...]:
    over = batch.state in ("done", "cancelled")
    latest = batch.deadline.timestamp() if batch.deadline else float("inf")
    return (over, -batch.priority, latest, batch.set_aside_at, batch.name)


def _long(span: timedelta) -> str:
    """A time that has passed, in the unit that people would use."""
    hours = span.total_seconds() / 3600
    if hours < 1:
        return f"{max(round(hours * 60), 1)} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"


def _by_batch(rows: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["batch"]: row for row in rows.to_pylist()}
