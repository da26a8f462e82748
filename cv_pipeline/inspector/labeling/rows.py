"""Batches and costs as the rows that pages and their JSON twins show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel

from cv_pipeline.inspector.charts import Chart, Sample, line_chart
from cv_pipeline.labeling.batches.declared import LabelingBatch
from cv_pipeline.labeling.batches.states import said
from cv_pipeline.quality.label_cost import Against, GroupCost, LabelCost


class BatchRow(BaseModel):
    """A batch; see :class:`cv_pipeline.labeling.batches.declared.LabelingBatch`.

    Attributes:
        kind: how its state is coloured.
        late: whether its deadline is over.
        share: of its labels that are made.
    """

    name: str
    state: str
    kind: str
    purpose: str
    reason: str
    task_type: str
    difficulty: str
    queue: str
    owner: str
    overlap: int
    priority: int
    deadline: datetime | None
    late: bool
    pilot: bool
    declared: bool
    images: int
    pushed: int
    labelled: int
    partly: int
    skipped: int
    rejected: int
    deleted: int
    labels: int
    open_labels: int
    share: float
    annotators: list[str]
    last_at: datetime | None
    set_aside_at: datetime
    stuck: str


class CostRow(BaseModel):
    """What the labels of a group cost; ``value`` is money, or seconds where there are no prices."""

    name: str
    labels: int
    wasted: int
    hours: float
    cost: float | None
    value: float
    low: float
    high: float


class ComparedRow(CostRow):
    """The same beside others: cost per label over theirs, with its interval, and in words."""

    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    words: str


_KINDS = {
    "open": "",
    "pushed": "info",
    "in_progress": "accent",
    "done": "good",
    "paused": "warn",
    "cancelled": "",
}


def batch_row(batch: LabelingBatch) -> BatchRow:
    """A batch as a row."""
    late = batch.deadline is not None and batch.deadline < datetime.now(UTC)
    return BatchRow(
        name=batch.name,
        state=said(batch.state),
        kind=_KINDS[batch.state],
        purpose=batch.purpose,
        reason=batch.reason,
        task_type=batch.task_type,
        difficulty=batch.difficulty,
        queue=batch.queue,
        owner=batch.owner,
        overlap=batch.overlap,
        priority=batch.priority,
        deadline=batch.deadline,
        late=late and batch.state not in ("done", "cancelled"),
        pilot=batch.pilot,
        declared=batch.declared,
        images=batch.images,
        pushed=batch.pushed,
        labelled=batch.labelled,
        partly=batch.partly,
        skipped=batch.skipped,
        rejected=batch.rejected,
        deleted=batch.deleted,
        labels=batch.labels,
        open_labels=batch.open_labels,
        share=min(batch.labels / batch.wanted, 1.0) if batch.wanted else 0.0,
        annotators=list(batch.annotators),
        last_at=batch.last_at,
        set_aside_at=batch.set_aside_at,
        stuck=batch.stuck,
    )


def cost_row(cost: LabelCost, group: GroupCost) -> CostRow:
    """The cost of a group as a row."""
    value, low, high = group.value(money=bool(cost.currency))
    return CostRow(
        name=group.name,
        labels=group.labels,
        wasted=group.wasted,
        hours=group.hours,
        cost=group.cost,
        value=value,
        low=low,
        high=high,
    )


def cost_rows(cost: LabelCost, groups: Sequence[GroupCost]) -> list[CostRow]:
    """The costs of groups as rows."""
    return [cost_row(cost, group) for group in groups]


def compared_rows(
    cost: LabelCost, other: GroupCost | None, compared: Sequence[Against]
) -> list[ComparedRow]:
    """A group and those that are compared with it; none where there is none."""
    if other is None:
        return []
    first = ComparedRow(
        **cost_row(cost, other).model_dump(),
        ratio=None,
        ratio_low=None,
        ratio_high=None,
        words="what others are measured by",
    )
    rest = [
        ComparedRow(
            **cost_row(cost, one.group).model_dump(),
            ratio=one.ratio,
            ratio_low=one.low,
            ratio_high=one.high,
            words=one.words,
        )
        for one in compared
    ]
    return [first, *rest]


def cost_chart(cost: LabelCost) -> Chart | None:
    """The marginal cost as a chart, beside the mean of all; None of a single point."""
    if len(cost.points) < 2:
        return None
    money = bool(cost.currency)
    digits = 4 if money else 1
    mean = cost.every.value(money=money)[0]
    samples, level, end = [], [], 0
    for point in cost.points:
        end += point.labels + point.wasted
        value, low, high = point.value(money=money)
        words = (
            f"Labels {point.name}: {value:.{digits}f} {cost.unit} each"
            f" ({low:.{digits}f} to {high:.{digits}f})"
        )
        samples.append(Sample(end, value, words, tick=f"{end:,}", low=low, high=high))
        level.append(Sample(end, mean, f"Mean of all: {mean:.{digits}f} {cost.unit}"))
    return line_chart(
        [("what a label cost", samples), ("mean of all", level)],
        title="Marginal cost",
        words=f"What a label cost, {cost.step:,} labels at a time, in {cost.unit}",
        unit=None,
        zero=True,
        guides=("mean of all",),
    )
