"""``cvp check classification``: how good the answers of a classifier in one table are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from cv_pipeline.cli.app import Json, console, fail, print_json
from cv_pipeline.cli.check.thresholds import UNUSABLE, Maximum, Minimum, Threshold, thresholds
from cv_pipeline.errors import CVPipelineError

if TYPE_CHECKING:
    from cv_pipeline.evaluation.classification.summary import Summary
    from cv_pipeline.evaluation.measure import Interval

SHOWN = 50


def classification(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="CSV, TSV or Parquet file, a row an image.")
    ],
    truth: Annotated[str, typer.Option(help="Column of the true class.")] = "truth",
    prediction: Annotated[
        str,
        typer.Option(help="Column of the predicted class; without it the highest score's."),
    ] = "predicted",
    score: Annotated[
        str, typer.Option(help="Column of the predicted class's score; optional.")
    ] = "score",
    scores: Annotated[
        str,
        typer.Option(help="What score columns begin with; the rest of a name is its class."),
    ] = "score_",
    minimum: Minimum = None,
    maximum: Maximum = None,
    as_json: Json = False,
) -> None:
    """Measure a classifier on a table of true and predicted classes, with 95 % intervals.

    Exit status 0 when every threshold holds, 1 when one is missed, 2 when the table cannot be
    used. With a score for each class: top-k, AUROC, average precision, log loss, Brier score and
    calibration too. A threshold on a metric that is not defined is missed.
    """
    from cv_pipeline.evaluation.calibration import reliability
    from cv_pipeline.evaluation.classification.scorer import ClassificationScorer
    from cv_pipeline.evaluation.classification.summary import (
        CLASS_METRICS,
        CONVENTIONS,
        METRICS,
        summarise,
    )
    from cv_pipeline.evaluation.classification.table import Columns, read_answers

    try:
        read = read_answers(
            table, columns=Columns(truth=truth, prediction=prediction, score=score, scores=scores)
        )
        found = summarise(read.answers, labels=read.labels)
        held = thresholds(
            minimum,
            maximum,
            values=_values(found),
            known=[*METRICS, *(f"{c}/{m}" for c in read.labels for m in CLASS_METRICS)],
        )
    except CVPipelineError as error:
        fail(error, status=UNUSABLE)
    if as_json:
        scorer = ClassificationScorer(read.answers, labels=read.labels)
        scored = read.answers.scored()
        print_json(
            {
                "images": found.images,
                "unanswered": found.unanswered,
                "metrics": _plain(found.metrics),
                "classes": {
                    label: {"images": found.support[label], **_plain(metrics)}
                    for label, metrics in found.classes.items()
                },
                "confusion": scorer.confusion().to_pylist(),
                "reliability": [
                    asdict(b)
                    for b in reliability(scored.confidence, scored.truth == scored.predicted)
                ],
                "thresholds": [t.to_json() for t in held],
                "passed": all(t.passed for t in held),
                "notes": list(read.notes),
                "conventions": CONVENTIONS,
            }
        )
    else:
        _show(found, read.notes, held)
    if not all(t.passed for t in held):
        raise typer.Exit(1)


def _values(found: Summary) -> dict[str, float]:
    """Metric to value, and ``class/metric`` to value."""
    out = {metric: interval.value for metric, interval in found.metrics.items()}
    for label, metrics in found.classes.items():
        out |= {f"{label}/{metric}": interval.value for metric, interval in metrics.items()}
    return out


def _plain(metrics: dict[str, Interval]) -> dict[str, dict[str, float]]:
    return {metric: asdict(interval) for metric, interval in metrics.items()}


def _show(found: Summary, notes: tuple[str, ...], held: list[Threshold]) -> None:
    whole = Table("metric", "value", "95 %", box=None)
    for metric, interval in found.metrics.items():
        whole.add_row(metric, f"{interval.value:.4f}", f"{interval.low:.4f} to {interval.high:.4f}")
    console.print(whole)
    console.print()
    metrics = list(dict.fromkeys(m for c in found.classes.values() for m in c))
    classes = Table(Column("class", overflow="fold"), "images", *metrics, box=None)
    for label, values in list(found.classes.items())[:SHOWN]:
        cells = (f"{values[m].value:.4f}" if m in values else "–" for m in metrics)
        classes.add_row(Text(label), f"{found.support[label]:,}", *cells)
    console.print(classes)
    if len(found.classes) > SHOWN:
        console.print(f"… and {len(found.classes) - SHOWN:,} more: --json lists them all")
    for line in (*notes, *(t.text for t in held)):
        console.print(line, markup=False, soft_wrap=True)
