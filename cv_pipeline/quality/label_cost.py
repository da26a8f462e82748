"""What labels cost, from real lead times and declared prices.

The cost of a group of labels is what its work and fees cost, over the labels that stand: work on
labels that were skipped or deleted since was paid as well. Every figure has a 95 % interval by
bootstrap over an annotator's work of one day (of one annotator where no times are known), for the
labels of one sitting are alike. Lead times above their bound count as it, and it is told how many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.labeling.settings.work_section import Annotator, PayRole, Prices
from cv_pipeline.quality.lead_times import LeadTimes, reckonable

CONTROL = "random"
ROLES: tuple[PayRole, ...] = get_args(PayRole)
_MOST_POINTS = 40
_MOST_GROUPS = 100
_MOST_SITTINGS = 400
_STEP = 1000
_LEAST_STEP = 50
_RESAMPLES = 1000
_CELLS_AT_ONCE = 2_000_000
_DAY = 86_400_000_000


@dataclass(frozen=True)
class GroupCost:
    """What the labels of a group cost.

    Attributes:
        name: of the group.
        labels: that stand.
        wasted: that were skipped, or deleted since.
        hours: of work.
        cost: in all; None where there are no prices.
        seconds: of work per label that stands.
        seconds_low: lower end of its interval.
        seconds_high: upper end.
        per_label: cost per label that stands; None where there are no prices.
        low: lower end of its interval.
        high: upper end.
    """

    name: str
    labels: int
    wasted: int
    hours: float
    cost: float | None
    seconds: float
    seconds_low: float
    seconds_high: float
    per_label: float | None
    low: float | None
    high: float | None

    def value(self, *, money: bool) -> tuple[float, float, float]:
        """Cost per label with its interval, or seconds per label."""
        if money and self.per_label is not None and self.low is not None and self.high is not None:
            return self.per_label, self.low, self.high
        return self.seconds, self.seconds_low, self.seconds_high


@dataclass(frozen=True)
class Against:
    """A group beside the one that it is compared with.

    Attributes:
        group: what the group's labels cost.
        ratio: its cost per label over that of the other; of seconds where there are no prices.
        low: lower end of its interval.
        high: upper end.
    """

    group: GroupCost
    ratio: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """The comparison as a phrase."""
        if self.low <= 1 <= self.high:
            return "no difference that is beyond chance"
        less = self.ratio < 1
        return f"{abs(1 - self.ratio):.0%} {'less' if less else 'more'} per label"


@dataclass(frozen=True, eq=False)
class LabelCost:
    """What the labels of a project cost.

    Attributes:
        currency: ISO 4217 code; empty where there are no prices.
        every: all labels together.
        points: labels in the order they were made, some hundred or thousand at a time: the marginal
            cost.
        step: labels of a point.
        ordered_by: time, or image where no times are known.
        weeks: by calendar week.
        batches: by batch; of more than a hundred, those labelled last.
        roles: by role of the annotators.
        annotators: by annotator, those with most labels first.
        prelabels: labels that began with pre-labels and those that did not, where there are both.
        arms: each sampling algorithm against the control arm, where there is one.
        control: labels of the control arm; None where there is none.
        times: what was done to the lead times.
        unpriced: roles whose hours have no price.
    """

    currency: str
    every: GroupCost
    points: tuple[GroupCost, ...]
    step: int
    ordered_by: str
    weeks: tuple[GroupCost, ...]
    batches: tuple[GroupCost, ...]
    roles: tuple[GroupCost, ...]
    annotators: tuple[GroupCost, ...]
    prelabels: tuple[GroupCost, Against] | None
    arms: tuple[Against, ...]
    control: GroupCost | None
    times: LeadTimes
    unpriced: tuple[str, ...]

    @property
    def unit(self) -> str:
        """What figures per label are in."""
        return self.currency or "s"


@dataclass(frozen=True, eq=False)
class _Rows:
    """Labels as parallel arrays.

    Attributes:
        seconds: (labels,) of work, those without a time as the mean of the others.
        cost: (labels,) of work and fee.
        stands: (labels,) whether it counts.
        cluster: (labels,) number of the sitting.
    """

    seconds: NDArray[np.float64]
    cost: NDArray[np.float64]
    stands: NDArray[np.bool_]
    cluster: NDArray[np.int64]

    def take(self, which: NDArray[Any]) -> _Rows:
        """The labels at these rows, or where a mask is true."""
        return _Rows(self.seconds[which], self.cost[which], self.stands[which], self.cluster[which])


def label_cost(
    labels: pa.Table, *, prices: Prices, annotators: Mapping[str, Annotator] | None = None
) -> LabelCost | None:
    """What labels cost.

    Args:
        labels: schema ``LABELS``, in the order that they were made.
        prices: of hours and labels.
        annotators: pseudonym to role; who is not there is an annotator.

    Returns:
        None where there are no labels.
    """
    if not len(labels):
        return None
    longest = None if prices.longest_minutes is None else prices.longest_minutes * 60
    times = reckonable(labels["seconds"].to_numpy(), longest=longest)
    mean = float(np.nanmean(times.seconds)) if times.missing < len(labels) else 0.0
    seconds = np.where(np.isnan(times.seconds), mean, times.seconds)
    names = pc.unique(labels["annotator"]).sort()
    person = pc.index_in(labels["annotator"], names).to_numpy().astype(np.int64)
    role = _roles(labels, names.to_pylist(), person, annotators or {})
    hourly = np.array([prices.per_hour.get(r, 0.0) for r in ROLES])
    rows = _Rows(
        seconds=seconds,
        cost=seconds / 3600 * hourly[role] + prices.per_label,
        stands=labels["stands"].to_numpy(zero_copy_only=False),
        cluster=_sittings(labels["at"], person),
    )
    priced = prices.known

    def by(codes: NDArray[np.int64], told: list[str], *, latest: int = 0) -> tuple[GroupCost, ...]:
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(len(told) + 1))
        parts = [(name, order[bounds[n] : bounds[n + 1]]) for n, name in enumerate(told)]
        parts = [(name, part) for name, part in parts if len(part)]
        if latest and len(parts) > latest:  # by their last labels, which come last
            newest = {name for name, _ in sorted(parts, key=lambda p: -int(p[1][-1]))[:latest]}
            parts = [(name, part) for name, part in parts if name in newest]
        return tuple(_group(name, rows.take(part), priced=priced) for name, part in parts)

    step, points = _points(rows, priced=priced)
    timed = labels["at"].null_count < len(labels)
    return LabelCost(
        currency=prices.currency if priced else "",
        every=_group("all", rows, priced=priced),
        points=points,
        step=step,
        ordered_by="time" if timed else "image",
        weeks=_weeks(labels["at"], by) if timed else (),
        batches=by(*_coded(labels["batch"]), latest=_MOST_GROUPS),
        roles=by(role, list(ROLES)),
        annotators=tuple(sorted(by(person, names.to_pylist()), key=lambda g: (-g.labels, g.name))),
        prelabels=_with_and_without(labels["prelabel_model"], rows, priced=priced),
        control=_control(labels["arm"], rows, priced=priced),
        arms=_arms(labels["arm"], rows, priced=priced),
        times=times,
        unpriced=tuple(
            r
            for n, r in enumerate(ROLES)
            if priced and (role == n).any() and r not in prices.per_hour
        ),
    )


def _roles(
    labels: pa.Table, names: list[str], person: NDArray[np.int64], told: Mapping[str, Annotator]
) -> NDArray[np.int64]:
    """(labels,) role by which each is paid; a review is a reviewer's."""
    own = np.array([ROLES.index(told[n].role) if n in told else 0 for n in names], np.int64)
    review = labels["review"].to_numpy(zero_copy_only=False)
    role = own[person]
    return np.where(review & (role == 0), 1, role)


def _sittings(at: pa.ChunkedArray, person: NDArray[np.int64]) -> NDArray[np.int64]:
    """(labels,) number of the annotator's day that each was made on."""
    day = pc.fill_null(at.cast(pa.int64()), 0).to_numpy() // _DAY
    day = day - day.min() + 1
    found: NDArray[np.int64] = np.unique(person * (day.max() + 1) + day, return_inverse=True)[1]
    return found


def _group(name: str, rows: _Rows, *, priced: bool) -> GroupCost:
    sums = _by_sitting(rows)
    seconds, cost, labels = (float(column.sum()) for column in sums)
    samples = _resampled(sums)
    low, high = _middle(samples[0] / np.maximum(samples[2], 1e-9))
    cost_low, cost_high = _middle(samples[1] / np.maximum(samples[2], 1e-9))
    count = max(labels, 1.0)
    return GroupCost(
        name=name,
        labels=int(labels),
        wasted=len(rows.stands) - int(labels),
        hours=seconds / 3600,
        cost=cost if priced else None,
        seconds=seconds / count,
        seconds_low=low,
        seconds_high=high,
        per_label=cost / count if priced else None,
        low=cost_low if priced else None,
        high=cost_high if priced else None,
    )


def _by_sitting(rows: _Rows) -> tuple[NDArray[np.float64], ...]:
    """(sittings,) seconds, cost and labels that stand, each."""
    place = np.unique(rows.cluster, return_inverse=True)[1]
    return tuple(_summed(place, column) for column in (rows.seconds, rows.cost, rows.stands))


def _summed(place: NDArray[np.int64], values: NDArray[Any], size: int = 0) -> NDArray[np.float64]:
    return np.asarray(np.bincount(place, values.astype(np.float64), size), np.float64)


def _resampled(sums: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    """(sums, resamples) sums over sittings that are drawn with replacement.

    Of more than four hundred sittings, as many random groups are drawn: the variance is the same.
    """
    columns = np.column_stack(sums)
    rng = np.random.default_rng(0)
    size = len(columns)
    if size > _MOST_SITTINGS:
        group = rng.permutation(size) % _MOST_SITTINGS
        columns = np.column_stack([_summed(group, column) for column in columns.T])
        size = _MOST_SITTINGS
    step = max(1, _CELLS_AT_ONCE // size)
    parts = []
    for first in range(0, _RESAMPLES, step):
        samples = min(step, _RESAMPLES - first)
        drawn = rng.integers(0, size, (samples, size)) + size * np.arange(samples)[:, None]
        often = np.bincount(drawn.ravel(), minlength=samples * size).reshape(samples, size)
        parts.append(often.astype(np.float64) @ columns)
    found: NDArray[np.float64] = np.concatenate(parts).T
    return found


def _middle(samples: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)


def _points(rows: _Rows, *, priced: bool) -> tuple[int, tuple[GroupCost, ...]]:
    """The marginal cost: labels in their order, a thousand at a time, fewer where there are few."""
    count = len(rows.seconds)
    step = max(_LEAST_STEP, min(_STEP, _round(count / 10)), -(-count // _MOST_POINTS))
    if step > _STEP:
        step = -(-step // _STEP) * _STEP
    points = []
    for first in range(0, count, step):
        part = rows.take(np.arange(first, min(first + step, count)))
        if first and len(part.seconds) < step / 2:
            continue  # too few to say anything
        points.append(_group(f"{first + 1:,}–{first + len(part.seconds):,}", part, priced=priced))
    return step, tuple(points)


def _round(value: float) -> int:
    """A round number near a value: 1, 2 or 5 times a power of ten."""
    if value < 1:
        return 1
    power = 10 ** int(np.floor(np.log10(value)))
    return int(max(n for n in (1, 2, 5, 10) if n * power <= value) * power)


def _weeks(at: pa.ChunkedArray, by: Callable[..., tuple[GroupCost, ...]]) -> tuple[GroupCost, ...]:
    days = at.cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    known = pc.unique(days)
    named = pc.strftime(known.cast(pa.timestamp("s")), format="%G-W%V")
    weeks = named.take(pc.index_in(days, known))
    return by(*_coded(weeks))


def _coded(names: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    """(labels,) place among the distinct names, sorted, -1 for none; and those names."""
    names = pc.if_else(pc.equal(names, ""), None, names)
    known = pc.drop_null(pc.unique(names)).sort()
    codes = pc.fill_null(pc.index_in(names, known), -1).to_numpy().astype(np.int64)
    return np.where(names.is_null().to_numpy(), -1, codes), known.to_pylist()


def _with_and_without(
    models: pa.ChunkedArray, rows: _Rows, *, priced: bool
) -> tuple[GroupCost, Against] | None:
    with_them = pc.not_equal(models, "").to_numpy()
    if not with_them.any() or with_them.all():
        return None
    without = rows.take(~with_them)
    told = _against("with pre-labels", rows.take(with_them), without, priced=priced)
    return _group("without pre-labels", without, priced=priced), told


def _control(arms: pa.ChunkedArray, rows: _Rows, *, priced: bool) -> GroupCost | None:
    control = pc.equal(arms, CONTROL).to_numpy()
    return _group(CONTROL, rows.take(control), priced=priced) if control.any() else None


def _arms(arms: pa.ChunkedArray, rows: _Rows, *, priced: bool) -> tuple[Against, ...]:
    codes, names = _coded(arms)
    if CONTROL not in names:
        return ()
    control = rows.take(codes == names.index(CONTROL))
    return tuple(
        _against(name, rows.take(codes == place), control, priced=priced)
        for place, name in enumerate(names)
        if name != CONTROL
    )


def _against(name: str, rows: _Rows, others: _Rows, *, priced: bool) -> Against:
    """Cost per label over that of others, whose sittings are drawn together where they are the
    same: who labels both is slow in both."""
    sittings = np.unique(np.concatenate([rows.cluster, others.cluster]))
    sums = []
    for side in (rows, others):
        place = np.searchsorted(sittings, side.cluster)
        amount = side.cost if priced else side.seconds
        size = len(sittings)
        sums += [_summed(place, amount, size), _summed(place, side.stands, size)]
    drawn = _resampled(tuple(sums))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (drawn[0] / drawn[1]) / (drawn[2] / drawn[3])
        value = (sums[0].sum() / sums[1].sum()) / (sums[2].sum() / sums[3].sum())
    finite = ratios[np.isfinite(ratios)]
    low, high = _middle(finite) if len(finite) else (float("nan"), float("nan"))
    return Against(_group(name, rows, priced=priced), float(value), low, high)
