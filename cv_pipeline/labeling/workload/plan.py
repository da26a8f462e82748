"""A plan of who labels what: what it changes, what everybody has by it, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from cv_pipeline.labeling.workload.workforce import Worker

PLAN = pa.schema(
    [
        # name of the batch
        pa.field("batch", pa.string(), nullable=False),
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # annotators that it is meant for, by pseudonym, sorted, with commas between; empty: anybody
        pa.field("assignee", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Load:
    """What one annotator has to do by a plan.

    Attributes:
        worker: who it is.
        labels: labels that are assigned to them.
        hours: of work, at their pace.
        weeks: until they are through, at their hours.
        batches: names of the batches with work for them, the most urgent first.
    """

    worker: Worker
    labels: int
    hours: float
    weeks: float
    batches: tuple[str, ...]


@dataclass(frozen=True)
class Unassigned:
    """Labels of a batch that nobody could be given.

    Attributes:
        batch: name of the batch.
        labels: how many.
        why: why not, and what to do.
    """

    batch: str
    labels: int
    why: str


@dataclass(frozen=True, eq=False)
class WorkPlan:
    """Who is to label what.

    Attributes:
        tasks: the tasks whose assignees change by it, schema :data:`PLAN`.
        loads: everybody who is there, by pseudonym.
        unassigned: labels that nobody could be given.
        labels: labels that are assigned in all.
        examined: whether there are gold images to qualify on; else all count as qualified.
        without_account: pseudonyms of those who get nothing, for they have no account in the tool.
    """

    tasks: pa.Table
    loads: tuple[Load, ...]
    unassigned: tuple[Unassigned, ...]
    labels: int
    examined: bool
    without_account: tuple[str, ...] = ()

    @property
    def spread_weeks(self) -> float:
        """Weeks between who is through first and last."""
        weeks = [load.weeks for load in self.loads]
        return max(weeks) - min(weeks) if weeks else 0.0
