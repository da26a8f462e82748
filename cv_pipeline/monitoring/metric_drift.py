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

from cv_pipeline.project import MetricDrift, Retraining

DAY = timedelta(days=1)
# a drop of exactly the threshold triggers, whatever its last binary digit
_TOLERANCE = 1e-9


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

    The drop from a reference is ``(reference - newest) / reference``. It is defined for references
    above 0. Evaluations of other metrics than the newest one's, and those that are not finite,
    are no references.

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
    last, best = earlier[-1].value, max(p.value for p in earlier)
    against: Literal["best", "last"]
    if _exceeds(newest.value, last, drift.relative_drop):
        against, reference, name = "last", last, "the evaluation before"
    elif _exceeds(newest.value, best, drift.relative_drop):
        against, reference, name = "best", best, "the best so far"
    else:
        return _stay(
            f"{newest.metric} {newest.value:.4g} is within {drift.relative_drop:.3g} of the best"
            f" {best:.4g} and of the last {last:.4g}"
        )
    drop = (reference - newest.value) / reference
    fall = (
        f"{newest.metric} fell {drop:.1%} from {name}, {reference:.4g} to {newest.value:.4g}"
        f" (allowed: {drift.relative_drop:.1%})"
    )
    held_back = _held_back(retraining, now=now, recent=recent_retrainings)
    reason = f"{fall}, but {held_back}" if held_back else fall
    return RetrainDecision(retrain=not held_back, reason=f"{reason}.", against=against, drop=drop)


def _stay(reason: str) -> RetrainDecision:
    return RetrainDecision(retrain=False, reason=f"{reason}.", against=None, drop=None)


def _exceeds(value: float, reference: float, threshold: float) -> bool:
    return reference > 0 and (reference - value) / reference >= threshold - _TOLERANCE


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
