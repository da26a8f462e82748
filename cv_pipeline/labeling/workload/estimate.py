"""When the labels that wait will be made, from the pace of those who make them.

What is made in a week is taken from the last whole weeks, four at most: each resample draws people
with replacement, and of each as many of their days, so that both bad days and who happens to be
there count. A label counts as the seconds that one of its difficulty usually takes, so that a mix
of easy and hard ones is no change of pace. Where no whole week is known, the declared hours of a
week and the measured seconds of a label give the pace, taken to vary by a fifth between people.
Only counts are read: two million images that wait are as quick as two hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.labeling.batches.progress import LabelingBatch
from cv_pipeline.labeling.batches.states import DIFFICULTIES
from cv_pipeline.labeling.settings.work_section import Prices
from cv_pipeline.labeling.workload.pace import levels
from cv_pipeline.labeling.workload.workforce import Worker, Workforce

_RESAMPLES = 2000
_DECLARED_SPREAD = 0.2
_DAY = 86_400_000_000
_WEEKS = 4


@dataclass(frozen=True)
class Waiting:
    """Labels that wait, of one difficulty."""

    difficulty: str
    images: int
    labels: int
    hours: float


@dataclass(frozen=True)
class Forecast:
    """When the labels that wait will be made.

    Attributes:
        times: of the people there are: once, twice, three times.
        annotators: how many people that is.
        labels_per_week: labels of the present mix that they make in a week.
        end: when they are through; None for never.
        earliest: lower end of its 95 % interval.
        latest: upper end; None for never.
    """

    times: int
    annotators: int
    labels_per_week: float
    end: datetime | None
    earliest: datetime | None
    latest: datetime | None


@dataclass(frozen=True)
class Estimate:
    """What waits, when it will be done and what it will cost.

    Attributes:
        waiting: labels that wait, by difficulty; those of paused batches are not among them.
        images: images that wait for a label.
        labels: labels that wait.
        hours: of work that they take.
        paused: labels of batches that are paused.
        forecasts: with the people there are, and with twice and three times as many.
        basis: what the pace is taken from, as a sentence.
        cost: of what waits; None where there are no prices.
        currency: of the cost.
        per_label_hour: labels of the present mix that one annotator makes in an hour.
    """

    waiting: tuple[Waiting, ...]
    images: int
    labels: int
    hours: float
    paused: int
    forecasts: tuple[Forecast, ...]
    basis: str
    cost: float | None
    currency: str
    per_label_hour: float


def estimate(
    batches: Sequence[LabelingBatch],
    workforce: Workforce,
    *,
    prices: Prices,
    now: datetime | None = None,
    times: Sequence[int] = (1, 2, 3),
) -> Estimate:
    """Estimate when the work that waits will be done.

    Args:
        batches: every batch.
        workforce: who labels.
        prices: what an hour and a label cost.
        now: the moment it begins at; the present by default.
        times: how many times the people there are.
    """
    now = now or datetime.now(UTC)
    waiting = _waiting(batches, workforce)
    seconds = sum(w.hours for w in waiting) * 3600
    labels = sum(w.labels for w in waiting)
    weekly, basis = _weekly_seconds(workforce, now)
    present = workforce.present
    forecasts = [
        _forecast(seconds, labels, weekly, people=len(present), times=factor, now=now)
        for factor in times
    ]
    return Estimate(
        waiting=waiting,
        images=sum(w.images for w in waiting),
        labels=labels,
        hours=seconds / 3600,
        paused=sum(b.open_labels for b in batches if b.state == "paused"),
        forecasts=tuple(forecasts),
        basis=basis,
        cost=_cost(seconds / 3600, labels, prices, present),
        currency=prices.currency if prices.known else "",
        per_label_hour=labels / (seconds / 3600) if seconds else 0.0,
    )


def _waiting(batches: Sequence[LabelingBatch], workforce: Workforce) -> tuple[Waiting, ...]:
    found = []
    for level, difficulty in enumerate(DIFFICULTIES):
        own = [
            b
            for b in batches
            if b.difficulty == difficulty and b.state in ("open", "pushed", "in_progress")
        ]
        labels = sum(b.open_labels for b in own)
        images = sum(max(b.images - b.deleted - b.labelled, 0) for b in own)
        hours = labels * float(workforce.pace.usual[level]) / 3600
        found.append(Waiting(difficulty, images, labels, hours))
    return tuple(found)


def _weekly_seconds(workforce: Workforce, now: datetime) -> tuple[NDArray[np.float64], str]:
    """(resamples,) seconds of work that one of the people does in a week, and from what.

    The seconds are those that everybody's usual pace would take for the labels that were made: who
    is quicker does more of them in a week.
    """
    people = len(workforce.present)
    rng = np.random.default_rng(0)
    if not people:
        return np.zeros(_RESAMPLES), "nobody is there to label"
    days, first, last = _worked(workforce, now)
    idle = _idle(workforce, now)
    count, span = days.shape
    if days.size:
        # people, and of each as many of their days as there are
        who = rng.integers(0, count, (_RESAMPLES, count))
        weeks = np.empty(_RESAMPLES)
        for one, drawn_people in enumerate(who):  # all at once would be large
            drawn = rng.integers(0, span, (count, span))
            weeks[one] = 7 * days[drawn_people[:, None], drawn].mean()
        basis = (
            f"what {count} annotators made on the {span} days from {first:%-d %b} to"
            f" {last:%-d %b %Y}"
        )
        return weeks, basis
    hours = workforce.capacity / workforce.capacity.mean()
    weeks = workforce.capacity.mean() * rng.normal(
        1, _DECLARED_SPREAD / np.sqrt(len(hours)), _RESAMPLES
    )
    known = int(workforce.pace.timed.sum())
    told = (
        f"{known:,} labels whose time is known" if known else "30 s a label, as none is known yet"
    )
    return np.maximum(weeks, 1.0), f"the hours a week that are declared, and {told}{idle}"


def _idle(workforce: Workforce, now: datetime) -> str:
    """That nobody labelled for the weeks that a pace is taken from, as the end of a sentence."""
    last = pc.max(workforce.labels["at"]).as_py()
    if last is None or now - last < timedelta(weeks=_WEEKS):
        return ""
    return f"; nobody labelled since {last:%-d %b %Y}"


def _worked(workforce: Workforce, now: datetime) -> tuple[NDArray[np.float64], datetime, datetime]:
    """(annotators, days) usual seconds of the labels that each made on each of the last days."""
    labels = workforce.labels.filter(pc.is_valid(workforce.labels["at"]))
    present = pa.array([worker.name for worker in workforce.present], pa.string())
    labels = labels.filter(pc.is_in(labels["annotator"], present))
    labels = labels.filter(labels["stands"])
    if not len(labels):
        return np.zeros((0, 0)), now, now
    at = labels["at"].cast(pa.int64()).to_numpy()
    today = int(now.timestamp() * 1e6) // _DAY
    day = at // _DAY
    newest = today - 1  # today is not over; days without a label count as well
    weeks = min((newest - int(day.min()) + 1) // 7, _WEEKS)
    if weeks < 1:
        return np.zeros((0, 0)), now, now
    oldest = newest - 7 * weeks + 1
    recent = (day >= oldest) & (day <= newest)
    person = pc.index_in(labels["annotator"], present).to_numpy().astype(np.int64)
    seconds = workforce.pace.usual[levels(labels["difficulty"])]
    span = newest - oldest + 1
    cell = person[recent] * span + (day[recent] - oldest)
    summed = np.bincount(cell, seconds[recent], len(present) * span)
    worked = np.asarray(summed, np.float64).reshape(-1, span)
    # who did nothing in that time says nothing of how much they would do
    worked = worked[worked.any(axis=1)]
    first = datetime.fromtimestamp(oldest * 86_400, UTC)
    return worked, first, datetime.fromtimestamp(newest * 86_400, UTC)


def _forecast(
    seconds: float,
    labels: int,
    weekly: NDArray[np.float64],
    *,
    people: int,
    times: int,
    now: datetime,
) -> Forecast:
    rates = weekly * people * times
    if not seconds:
        return Forecast(times, people * times, 0.0, now, now, now)
    if not rates.any():
        return Forecast(times, people * times, 0.0, None, None, None)
    mean = float(rates.mean())
    with np.errstate(divide="ignore"):  # at no pace it never ends
        high, low = seconds / np.percentile(rates, [2.5, 97.5])
    return Forecast(
        times=times,
        annotators=people * times,
        labels_per_week=labels * mean / seconds,
        end=_after(now, seconds / mean),
        earliest=_after(now, float(low)),
        latest=_after(now, float(high)),
    )


def _after(now: datetime, weeks: float) -> datetime | None:
    """A moment so many weeks later; None where no calendar goes so far."""
    return now + timedelta(weeks=weeks) if weeks < 52 * 500 else None


def _cost(hours: float, labels: int, prices: Prices, present: Sequence[Worker]) -> float | None:
    if not prices.known:
        return None
    weights = [w.hours_per_week for w in present] or [1.0]
    rates = [prices.per_hour.get(w.role, 0.0) for w in present]
    hourly = (
        sum(w * r for w, r in zip(weights, rates, strict=True)) / sum(weights)
        if rates
        else prices.per_hour.get("annotator", 0.0)
    )
    return hours * hourly + labels * prices.per_label
