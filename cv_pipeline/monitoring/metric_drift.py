"""Decides whether a new evaluation means that the model must be trained again.

A pure function of recorded numbers and times. A drop counts relative to the best evaluation so far
or to the one before; a cooldown and a daily limit keep retraining from chasing itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from cv_pipeline.monitoring.relative_drop import relative_drop
from cv_pipeline.project import MetricDrift, Retraining

DAY = timedelta(days=1)


@dataclass(frozen=True)
class EvaluationPoint:
    """One recorded evaluation.

    Attributes:
        storage_id: its place in the event log; later ones are greater.
        metric: name of the metric.
        value: the metric; NaN where it was not defined.
        at: when it was recorded, UTC.
    """

    storage_id: int
    metric: str
    value: float
    at: datetime


@dataclass(frozen=True)
class RetrainDecision:
    """What to do about the newest evaluation.

    Attributes:
        retrain: whether to launch a retraining now.
        reason: why, or why not, as one sentence.
        against: what the metric fell from: ``last`` when it fell that far in one step, ``best``
            when it did so only over several; None when there is no drift. Set also when the
            cooldown or the daily limit holds a retraining back.
        drop: relative drop from that, above 0; None when there is no drift.
    """

    retrain: bool
    reason: str
    against: Literal["best", "last"] | None
    drop: float | None


def decide(
    history: Sequence[EvaluationPoint],
    *,
    drift: MetricDrift,
    retraining: Retraining,
    now: datetime,
    recent_retrainings: Sequence[datetime],
) -> RetrainDecision:
    """Compare the newest evaluation with the best so far and with the one before.

    Evaluations of other metrics than the newest one's, and those that are not finite, are no
    references; :mod:`~cv_pipeline.monitoring.relative_drop` says what a drop is.

    Args:
        history: evaluations, in any order.
        drift: relative drop that counts as drift.
        retraining: cooldown and daily limit.
        now: present time, aware.
        recent_retrainings: when retrainings were launched, aware; those of the last 24 hours and
            of the cooldown are needed, in any order.
    """
    if not history:
        return _stay("there is no evaluation yet")
    newest = max(history, key=lambda p: p.storage_id)
    if not math.isfinite(newest.value):
        return _stay(f"{newest.metric} of the newest evaluation is not a number: look at it")
    earlier = sorted(
        (
            p
            for p in history
            if p.storage_id < newest.storage_id
            and p.metric == newest.metric
            and math.isfinite(p.value)
        ),
        key=lambda p: p.storage_id,
    )
    if not earlier:
        return _stay(f"{newest.metric} {newest.value:.4g} is the first evaluation to compare")
    values = [p.value for p in earlier]
    found = relative_drop(newest.value, values, threshold=drift.relative_drop)
    if found is None:
        return _stay(
            f"{newest.metric} {newest.value:.4g} is within {drift.relative_drop:.3g} of the best"
            f" {max(values):.4g} and of the last {values[-1]:.4g}"
        )
    name = {"last": "the evaluation before", "best": "the best so far"}[found.against]
    fall = (
        f"{newest.metric} fell {found.drop:.1%} from {name}, {found.reference:.4g} to"
        f" {newest.value:.4g} (allowed: {drift.relative_drop:.1%})"
    )
    held_back = _held_back(retraining, now=now, recent=recent_retrainings)
    reason = f"{fall}, but {held_back}" if held_back else fall
    return RetrainDecision(
        retrain=not held_back, reason=f"{reason}.", against=found.against, drop=found.drop
    )


def _stay(reason: str) -> RetrainDecision:
    return RetrainDecision(retrain=False, reason=f"{reason}.", against=None, drop=None)


def _held_back(retraining: Retraining, *, now: datetime, recent: Sequence[datetime]) -> str | None:
    """Why no retraining may start now; None when one may."""
    if retraining.daily_limit == 0:
        return "retraining is switched off (daily_limit: 0)"
    today = sum(now - at < DAY for at in recent)
    if today >= retraining.daily_limit:
        return f"{today} retrainings in 24 hours reach the daily limit of {retraining.daily_limit}"
    cooldown = timedelta(minutes=retraining.cooldown_minutes)
    if recent and now - max(recent) < cooldown:
        until = (max(recent) + cooldown).astimezone(UTC)
        return f"the cooldown lasts until {until:%Y-%m-%d %H:%M} UTC"
    return None
