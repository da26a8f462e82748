"""Finds the epochs of a training at which the validation metric fell too far.

A pure function of the recorded curve, with the same notion of a drop as between evaluations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cv_pipeline.monitoring.relative_drop import relative_drop
from cv_pipeline.project import MetricDrift


@dataclass(frozen=True)
class EpochDrop:
    """One epoch at which the metric fell.

    Attributes:
        epoch: from 1.
        value: the metric after it.
        against: what it fell from: the ``last`` epoch, or the ``best`` so far.
        reference_epoch: which epoch that is.
        reference: the metric then.
        drop: relative drop, above 0.
    """

    epoch: int
    value: float
    against: Literal["best", "last"]
    reference_epoch: int
    reference: float
    drop: float


def epoch_drops(
    epochs: Sequence[int], values: Sequence[float | None], *, drift: MetricDrift
) -> list[EpochDrop]:
    """The epochs whose metric is too far below that of the epoch before or of the best so far.

    While the metric stays low, every epoch counts. Epochs without a finite metric are passed over.

    Args:
        epochs: their numbers, ascending.
        values: the validation metric after each.
        drift: relative drop that counts.
    """
    drops: list[EpochDrop] = []
    seen: list[tuple[int, float]] = []
    for epoch, value in zip(epochs, values, strict=True):
        if value is None or not math.isfinite(value):
            continue
        found = relative_drop(value, [v for _, v in seen], threshold=drift.relative_drop)
        if found is not None:
            drops.append(
                EpochDrop(
                    epoch=epoch,
                    value=value,
                    against=found.against,
                    reference_epoch=seen[found.position][0],
                    reference=found.reference,
                    drop=found.drop,
                )
            )
        seen.append((epoch, value))
    return drops


def summarize_drops(metric: str, drops: Sequence[EpochDrop], *, epochs: int) -> str:
    """What to say of a training's drops, as a sentence or two.

    Args:
        metric: name of the validation metric.
        drops: of the training.
        epochs: how many there were.
    """
    if not drops:
        return f"{metric} never fell by more than is allowed."
    worst = max(drops, key=lambda d: d.drop)
    told = (
        f"{metric} fell {worst.drop:.1%} at epoch {worst.epoch}, from {worst.reference:.3f} at"
        f" epoch {worst.reference_epoch} to {worst.value:.3f}."
    )
    last = drops[-1]
    if last.epoch == epochs:
        share = f"{last.drop:.1%} below epoch {last.reference_epoch}"
        return f"{told} The last epoch is {share}."
    return f"{told} It had recovered by epoch {last.epoch + 1}."
