"""Slices, classes, kinds of error and the confusion of an evaluation, each with its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow.compute as pc
from pydantic import BaseModel

from cv_pipeline.errors import CVPipelineError
from cv_pipeline.evaluation import Evaluation
from cv_pipeline.evaluation.error_analysis.analysis import error_counts
from cv_pipeline.evaluation.error_analysis.mistakes import NOTHING
from cv_pipeline.evaluation.slicing.slices import WHOLE
from cv_pipeline.inspector.board.slices import slice_name
from cv_pipeline.inspector.evaluation_page.selections import Selections
from cv_pipeline.provenance.slice_images import slice_query

MOST_SLICES = 60
MOST_CLASSES = 200
MOST_CONFUSED = 20
HEAT = 9
"""Shades that the cells of a confusion are drawn in."""
ERROR_WORDS = {
    "classification": "right place, wrong class",
    "localisation": "right class, badly placed",
    "both": "wrong class, badly placed",
    "duplicate": "an object found again",
    "background": "nothing is there",
    "missed": "an object not found",
}


_OF_IMAGES = {"classification": "another class is said", "missed": "no class is said"}
"""Likewise for a classification, which has no places."""


class NumberOf(BaseModel):
    """A number with its interval."""

    value: float | None
    low: float | None
    high: float | None


class SliceRow(BaseModel):
    """A declared slice, all classes together."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    rest: float | None
    difference: float | None
    p_value: float | None
    significant: bool
    metric: float | None
    images: int
    objects: int
    small: bool
    href: str


class ClassResult(BaseModel):
    """A class on the whole split."""

    label: str
    numbers: dict[str, NumberOf]
    objects: int
    images: int
    href: str


class ErrorRow(BaseModel):
    """A kind of error."""

    kind: str
    words: str
    count: int
    share: float
    cost: float | None
    href: str


class Cell(BaseModel):
    """How often a class was called another; ``heat`` from 0 to 9 is its share of its row."""

    count: int
    share: float
    heat: int
    right: bool
    words: str
    href: str


class Confusion(BaseModel):
    """True classes by predicted classes; the last row and column are no class."""

    columns: list[str]
    rows: list[tuple[str, list[Cell]]]
    left_out: int


def slice_rows(made: Evaluation, links: Selections, declared: Mapping[str, str]) -> list[SliceRow]:
    """Declared slices, the significantly worse ones first."""
    record = made.record
    rows = made.slices.filter(
        (pc.field("split") == record.split)
        & pc.field("label").is_null()
        & (pc.field("slice_key") != WHOLE)
    ).to_pylist()
    tested = "recall" if record.task == "detection" else "accuracy"
    metric = {(r["slice_key"], r["slice_value"]): r for r in rows if r["metric"] == record.metric}
    found = []
    for row in rows:
        if row["metric"] != tested:
            continue
        key, value = row["slice_key"], row["slice_value"]
        other = metric.get((key, value))
        found.append(
            SliceRow(
                name=slice_name(key, value, declared),
                value=row["value"],
                low=row["low"],
                high=row["high"],
                rest=row["rest"],
                difference=row["difference"],
                p_value=row["adjusted_p"],
                significant=row["significant"],
                metric=other["value"] if other else None,
                images=row["images"],
                objects=row["objects"],
                small=row["small"],
                href=_slice_link(made, row, links, declared),
            )
        )
    found.sort(key=lambda r: (not r.significant, r.difference is None, r.difference or 0.0))
    return found[:MOST_SLICES]


def class_rows(made: Evaluation, links: Selections) -> list[ClassResult]:
    """Every class on the whole split, the worst first."""
    record = made.record
    wanted = (
        ("AP50", "recall", "precision")
        if record.task == "detection"
        else ("recall", "precision", "f1")
    )
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in made.slices.filter(
        (pc.field("split") == record.split)
        & (pc.field("slice_key") == WHOLE)
        & pc.field("label").is_valid()
    ).to_pylist():
        found.setdefault(row["label"], {})[row["metric"]] = row
    rows = []
    for label, metrics in found.items():
        one = next(iter(metrics.values()))
        rows.append(
            ClassResult(
                label=label,
                numbers={name: _number(metrics[name]) for name in wanted if name in metrics},
                objects=one["objects"],
                images=one["images"],
                href=links.of(None, label=label),
            )
        )
    first = wanted[0]

    def worst(row: ClassResult) -> tuple[bool, float]:
        number = row.numbers.get(first)
        value = number.value if number else None
        return (value is None, value or 0.0)

    return sorted(rows, key=worst)[:MOST_CLASSES]


def error_rows(made: Evaluation, links: Selections) -> list[ErrorRow]:
    """Kinds of error, the costliest first."""
    counts = error_counts(made)
    detects = made.record.task == "detection"
    total = sum(count for count, _ in counts.values()) or 1
    rows = [
        ErrorRow(
            kind=kind,
            words=ERROR_WORDS[kind] if detects else _OF_IMAGES[kind],
            count=count,
            share=count / total,
            cost=cost,
            href=links.errors(kind=kind),
        )
        for kind, (count, cost) in counts.items()
    ]
    return sorted(rows, key=lambda r: (-(r.cost or 0.0), -r.count))


def confusion(made: Evaluation, links: Selections) -> Confusion | None:
    """The confusion of the headline split; of many classes those that are confused most."""
    record = made.record
    table = made.confusion.filter(pc.field("split") == record.split)
    if len(table) == 0:
        return None
    labels = list(record.labels)
    place = {label: n for n, label in enumerate(labels)}
    none = len(labels)
    counts = np.zeros((none + 1, none + 1), np.int64)
    for row in table.to_pylist():
        counts[place.get(row["truth"], none), place.get(row["predicted"], none)] += row["count"]
    kept = list(range(len(labels)))
    if len(labels) > MOST_CONFUSED:
        wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
        kept = sorted(np.argsort(-wrong[:-1], kind="stable")[:MOST_CONFUSED].tolist())
    order = [*kept, none]
    detects = record.task == "detection"
    names = {**{n: labels[n] for n in kept}, none: "nothing" if detects else "none"}
    rows = []
    for truth in order:
        if truth == none and not detects:
            continue
        total = int(counts[truth].sum())
        cells = []
        for predicted in order:
            count = int(counts[truth, predicted])
            share = count / total if total else 0.0
            of = "nothing" if truth == none else names[truth]
            called = "not found" if predicted == none else f"called {names[predicted]}"
            cells.append(
                Cell(
                    count=count,
                    share=share,
                    heat=min(HEAT, round(share * HEAT + (0.5 if count else 0))),
                    right=truth == predicted and truth != none,
                    words=f"{count:,} times {of} was {called}",
                    href=links.errors(
                        truth=NOTHING if truth == none else names[truth],
                        predicted=NOTHING if predicted == none else names[predicted],
                    )
                    if count
                    else "",
                )
            )
        rows.append((names[truth], cells))
    return Confusion(columns=[names[n] for n in order], rows=rows, left_out=len(labels) - len(kept))


def _slice_link(
    made: Evaluation,
    row: Mapping[str, Any],
    links: Selections,
    declared: Mapping[str, str],
) -> str:
    """Images of a slice; nowhere where it was declared in words that are gone since."""
    try:
        values = {row["slice_key"]: row["slice_value"]}
        return links.asked(slice_query(made, values, declared=declared))
    except CVPipelineError:
        return ""


def _number(row: dict[str, Any]) -> NumberOf:
    return NumberOf(value=row["value"], low=row["low"], high=row["high"])
