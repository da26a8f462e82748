"""Thresholds that a check is held to: ``--min AP=0.5``, ``--max ece=0.05``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cv_pipeline.errors import EvaluationError, nearest

UNUSABLE = 2
"""Exit status when the check could not be made."""

Minimum = Annotated[
    list[str] | None,
    typer.Option(
        "--min", metavar="METRIC=NUMBER", help="Least value that passes; CLASS/METRIC for a class."
    ),
]
Maximum = Annotated[
    list[str] | None,
    typer.Option("--max", metavar="METRIC=NUMBER", help="Greatest value that passes, likewise."),
]


@dataclass(frozen=True)
class Threshold:
    """One threshold, and what was measured.

    Attributes:
        metric: its name; ``class/metric`` for that of a class.
        bound: min or max.
        threshold: the number.
        value: what was measured; None where the metric is not defined.
    """

    metric: str
    bound: str
    threshold: float
    value: float | None

    @property
    def passed(self) -> bool:
        """Whether it holds; not so where the metric is not defined."""
        if self.value is None:
            return False
        return self.value >= self.threshold if self.bound == "min" else self.value <= self.threshold

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**vars(self), "passed": self.passed}

    @property
    def text(self) -> str:
        """It in words: what was measured, and whether that is enough."""
        value = "not defined" if self.value is None else f"{self.value:.4f}"
        said = "ok" if self.passed else "missed"
        return f"{said}: {self.metric} {value}, {self.bound} {self.threshold:g}"


def thresholds(
    minima: Sequence[str] | None,
    maxima: Sequence[str] | None,
    *,
    values: Mapping[str, float],
    known: Sequence[str],
) -> list[Threshold]:
    """Read thresholds and hold what was measured against them.

    Args:
        minima: as typed, ``metric=number``.
        maxima: likewise.
        values: metric to value, and ``class/metric`` to value; those that are defined.
        known: every metric that could be defined.

    Raises:
        EvaluationError: one is not a metric and a number, or there is no such metric.
    """
    return [
        _threshold(text, bound, values, known)
        for bound, texts in (("min", minima), ("max", maxima))
        for text in texts or ()
    ]


def _threshold(
    text: str, bound: str, values: Mapping[str, float], known: Sequence[str]
) -> Threshold:
    metric, equals, typed = text.rpartition("=")
    try:
        number = float(typed)
    except ValueError:
        number = math.nan
    if not (equals and metric) or not math.isfinite(number):
        raise EvaluationError(
            f"--{bound} {text!r} is not a metric and a number.",
            do=f"Write --{bound} METRIC=NUMBER.",
        )
    if metric not in values and metric not in known:
        raise EvaluationError(
            f"There is no metric {metric!r} to hold against a threshold.",
            do=nearest(metric, {*values, *known}),
        )
    return Threshold(metric, bound, number, values.get(metric))
