"""``cvp check segmentation``: how well two folders of label images agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table
from rich.text import Text

from cv_pipeline.cli.app import Json, console, errors, fail, print_json
from cv_pipeline.cli.check.thresholds import UNUSABLE, Maximum, Minimum, thresholds
from cv_pipeline.errors import CVPipelineError

if TYPE_CHECKING:
    from cv_pipeline.evaluation.segmentation.metrics import SegmentationMetrics


def segmentation(
    ground_truth: Annotated[
        Path, typer.Argument(metavar="GROUND_TRUTH_DIR", help="Folder of label images.")
    ],
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTION_DIR", help="The same, with the same names.")
    ],
    labels: Annotated[
        str | None,
        typer.Option(help="Classes by number, from 0, with commas: background,cell,nucleus."),
    ] = None,
    ignore: Annotated[
        int | None, typer.Option(help="Number in the ground truth that stands for no class.")
    ] = None,
    minimum: Minimum = None,
    maximum: Maximum = None,
    as_json: Json = False,
) -> None:
    """Compare label images (PNG, TIFF, BMP) pixel by pixel: IoU, Dice, accuracy, with intervals.

    Exit status 0 when every threshold holds, 1 when one is missed, 2 when the folders cannot be
    compared. A threshold on a metric that is not defined is missed.
    """
    from cv_pipeline.evaluation.segmentation.label_images import paired_files, read_pairs
    from cv_pipeline.evaluation.segmentation.metrics import (
        CLASS_METRICS,
        CONVENTIONS,
        METRICS,
        segmentation_metrics,
    )

    names = None if labels is None else [name.strip() for name in labels.split(",")]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        files = paired_files(ground_truth, predictions)
        with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
            pairs: Iterator[Any] = iter(
                bar.track(read_pairs(files), total=len(files), description="images compared")
            )
            found = segmentation_metrics(pairs, labels=names, ignore=ignore)
        values = {metric: interval.value for metric, interval in found.metrics.items()}
        for label, metrics in found.classes.items():
            values |= {f"{label}/{metric}": i.value for metric, i in metrics.items()}
        known = [*METRICS, *(f"{n}/{m}" for n in names or () for m in CLASS_METRICS)]
        held = thresholds(minimum, maximum, values=values, known=known)
    except CVPipelineError as error:
        fail(error, status=UNUSABLE)
    passed = all(t.passed for t in held)
    if as_json:
        print_json(
            {
                "images": found.images,
                "pixels": found.pixels,
                "ignored": found.ignored,
                "metrics": {m: asdict(i) for m, i in found.metrics.items()},
                "classes": {
                    label: {
                        "pixels": found.true_pixels[label],
                        **{m: asdict(i) for m, i in metrics.items()},
                    }
                    for label, metrics in found.classes.items()
                },
                "confusion": [
                    {"truth": true, "predicted": said, "count": count}
                    for (true, said), count in found.confusion.items()
                ],
                "thresholds": [t.to_json() for t in held],
                "passed": passed,
                "notes": list(found.notes),
                "conventions": CONVENTIONS,
            }
        )
    else:
        _show(found, [*found.notes, *(t.text for t in held)], CLASS_METRICS)
    if not passed:
        raise typer.Exit(1)


def _show(found: SegmentationMetrics, lines: list[str], class_metrics: tuple[str, ...]) -> None:
    whole = Table("metric", "value", "95 %", box=None)
    for metric, interval in found.metrics.items():
        whole.add_row(metric, f"{interval.value:.4f}", f"{interval.low:.4f} to {interval.high:.4f}")
    console.print(whole)
    console.print()
    classes = Table(Column("class", overflow="fold"), "pixels", *class_metrics, box=None)
    for label, values in found.classes.items():
        cells = (f"{values[m].value:.4f}" if m in values else "–" for m in class_metrics)
        classes.add_row(Text(label), f"{found.true_pixels[label]:,}", *cells)
    console.print(classes)
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
