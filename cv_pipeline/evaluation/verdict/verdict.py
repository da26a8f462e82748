"""Each requirement of a project against what one evaluation found on unseen images.

Only the test split counts: val chose the operating point, and train was learnt from. What was not
measured is not met. A number is compared as it is; where its interval holds the limit, that is
said, for another sample of images could have decided otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.errors import nearest
from cv_pipeline.evaluation.evaluation import Evaluation
from cv_pipeline.evaluation.measure import Interval
from cv_pipeline.evaluation.slicing.slices import WHOLE
from cv_pipeline.requirement import Requirement

UNSEEN = "test"


@dataclass(frozen=True)
class Judged:
    """One requirement, held against what was found.

    Attributes:
        requirement: in words.
        metric: its metric.
        value: what was found; None where it was not measured.
        low: lower end of its 95 % confidence interval, where one is known.
        high: upper end, likewise.
        passed: whether it is met.
        why: in words.
    """

    requirement: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    passed: bool
    why: str


@dataclass(frozen=True)
class Verdict:
    """Whether a model may be promoted, as far as it alone is concerned.

    Attributes:
        passed: whether it was evaluated on unseen images and meets every requirement.
        evaluation: digest of the evaluation.
        model: digest of the model.
        dataset: digest of the dataset version.
        split: the split that the numbers are of.
        metric: the optimizing metric.
        value: its value there; None where it is not defined.
        requirements: each of them, in the project's order.
        summary: the verdict in a sentence.
    """

    passed: bool
    evaluation: str
    model: str
    dataset: str
    split: str
    metric: str
    value: float | None
    requirements: tuple[Judged, ...]
    summary: str

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class _Found:
    """A number that an evaluation has, or why it has none."""

    interval: Interval | None = None
    value: float | None = None
    missing: str = ""
    images: int | None = None
    small: bool = False


def judge(
    requirements: Sequence[Requirement], evaluation: Evaluation, costs: Mapping[str, float]
) -> Verdict:
    """Hold every requirement against an evaluation and the model's costs.

    Args:
        requirements: of the project.
        evaluation: of the model.
        costs: what was measured of the model, by the names of ``cv_pipeline.requirement.COSTS``.
    """
    record = evaluation.record
    judged = tuple(_judged(one, evaluation, costs) for one in requirements)
    missed = [one for one in judged if not one.passed]
    unseen = record.split == UNSEEN
    value = record.metrics.get(record.metric)
    return Verdict(
        passed=unseen and not missed and value is not None,
        evaluation=record.digest,
        model=record.model,
        dataset=record.dataset,
        split=record.split,
        metric=record.metric,
        value=value,
        requirements=judged,
        summary=_summary(record.split, record.metric, value, judged),
    )


def _summary(split: str, metric: str, value: float | None, judged: Sequence[Judged]) -> str:
    if split != UNSEEN:
        return (
            f"There is no verdict: the {UNSEEN} split has no ground truth, and the numbers of"
            f" {split} are not of unseen images."
        )
    if value is None:
        return f"There is no verdict: {metric} is not defined on {split}."
    if not judged:
        return f"{metric} {value:.4g} on {split}; the project has no requirements beside it."
    missed = [one for one in judged if not one.passed]
    if not missed:
        return f"{metric} {value:.4g} on {split}; all {len(judged)} requirements are met."
    reasons = "; ".join(f"{one.requirement}: {one.why}" for one in missed)
    return (
        f"{metric} {value:.4g} on {split}; {len(missed)} of {len(judged)} requirements are not met:"
        f" {reasons}."
    )


def _judged(one: Requirement, evaluation: Evaluation, costs: Mapping[str, float]) -> Judged:
    found = _cost(one, costs) if one.is_cost else _quality(one, evaluation)
    unseen = one.is_cost or evaluation.record.split == UNSEEN
    low, high = (found.interval.low, found.interval.high) if found.interval else (None, None)
    if found.value is None:
        return Judged(one.words, one.metric, None, None, None, False, found.missing)
    met = _meets(one, found.value)
    why = f"it is {found.value:.4g}"
    if low is not None and high is not None:
        why += f" ({low:.4g} to {high:.4g})"
        if met and not (_meets(one, low) and _meets(one, high)):
            why += ", which is met but not surely: the interval holds the limit"
    if found.small:
        why += f", of only {found.images} images"
    if not unseen:
        why += f", but of {evaluation.record.split} and not of unseen images"
    return Judged(one.words, one.metric, found.value, low, high, met and unseen, why)


def _meets(one: Requirement, value: float) -> bool:
    if one.at_least is not None:
        return value >= one.at_least
    return one.at_most is not None and value <= one.at_most


def _cost(one: Requirement, costs: Mapping[str, float]) -> _Found:
    if one.metric in costs:
        return _Found(value=costs[one.metric])
    return _Found(
        missing="it was not measured; predict again: cvp run PROJECT --select"
        " predictions,eval_slices,champion"
    )


def _quality(one: Requirement, evaluation: Evaluation) -> _Found:
    record = evaluation.record
    if one.label is None and one.slice is None and one.metric in record.metrics:
        return _Found(interval=record.intervals.get(one.metric), value=record.metrics[one.metric])
    key, value = one.slice_parts or (WHOLE, WHOLE)
    rows = _rows(evaluation.slices, split=record.split, label=one.label)
    of_slice = rows.filter(pc.equal(rows["slice_key"], key))
    of_slice = of_slice.filter(pc.equal(of_slice["slice_value"], value))
    if len(of_slice) == 0:
        return _Found(missing=_no_slice(one, rows, key))
    numbers = of_slice.filter(pc.equal(of_slice["metric"], one.metric)).to_pylist()
    if not numbers:
        known = of_slice["metric"].unique().to_pylist()
        return _Found(
            missing=f"the evaluation has no {one.metric} there. {nearest(one.metric, known)}"
        )
    row = numbers[0]
    if row["value"] is None:
        return _Found(missing=f"it is not defined: {row['objects']} objects are there")
    low, high = row["low"], row["high"]
    known_interval = low is not None and high is not None
    return _Found(
        interval=Interval(row["value"], low, high) if known_interval else None,
        value=row["value"],
        images=row["images"],
        small=row["small"],
    )


def _rows(slices: pa.Table, *, split: str, label: str | None) -> pa.Table:
    of_label = pc.is_null(slices["label"]) if label is None else pc.equal(slices["label"], label)
    return slices.filter(pc.and_(pc.equal(slices["split"], split), of_label))


def _no_slice(one: Requirement, rows: pa.Table, key: str) -> str:
    if len(rows) == 0:
        return f"no object of {one.label or 'any class'} is in the test split"
    of_key = rows.filter(pc.equal(rows["slice_key"], key))
    if len(of_key) == 0:
        return f"no image of the test split has {key}"
    values = [str(v) for v in of_key["slice_value"].unique().to_pylist() if v is not None]
    wanted = (one.slice_parts or ("", ""))[1] or ""
    return f"no image of the test split has {one.slice}. {nearest(wanted, values)}"
