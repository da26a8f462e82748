"""``cvp check detections``: how good detections in COCO's files are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Column, Table
from rich.text import Text

from cv_pipeline.cli.app import Json, console, fail, print_json
from cv_pipeline.cli.check.thresholds import UNUSABLE, Maximum, Minimum, Threshold, thresholds
from cv_pipeline.errors import CVPipelineError

if TYPE_CHECKING:
    from cv_pipeline.evaluation.detection.file_check import FileCheck

SHOWN = 50
_OF_CLASSES = ("AP", "AP50", "AP75", "AR100", "objects", "detections")


def detections(
    ground_truth: Annotated[
        Path, typer.Option(metavar="FILE", help="COCO's instances file: the ground truth.")
    ],
    predictions: Annotated[
        Path, typer.Option(metavar="FILE", help="COCO's result file: a list of detections.")
    ],
    iou_type: Annotated[
        Literal["bbox", "segm"], typer.Option(help="Compare boxes or masks.")
    ] = "bbox",
    minimum: Minimum = None,
    maximum: Maximum = None,
    as_json: Json = False,
) -> None:
    """Measure detections against a ground truth, both in COCO's JSON.

    COCO's AP and AR, as pycocotools has them; Pascal VOC's AP; each class; TIDE's kinds of error
    with what they cost; 95 % intervals. Exit status 0 when every threshold holds, 1 when one is
    missed, 2 when the files cannot be used. A threshold on a metric that is not defined is missed.
    """
    from cv_pipeline.evaluation.detection.file_check import check_files

    try:
        found = check_files(ground_truth, predictions, iou_type=iou_type)
        held = thresholds(minimum, maximum, values=found.values(), known=found.known())
    except CVPipelineError as error:
        fail(error, status=UNUSABLE)
    passed = all(t.passed for t in held)
    if as_json:
        print_json({**found.to_json(), "thresholds": [t.to_json() for t in held], "passed": passed})
    else:
        _show(found, held)
    if not passed:
        raise typer.Exit(1)


def _show(found: FileCheck, held: list[Threshold]) -> None:
    whole = Table("metric", "value", "95 %", box=None)
    for metric, value in found.metrics.items():
        interval = found.intervals.get(metric)
        ends = f"{interval.low:.4f} to {interval.high:.4f}" if interval else ""
        whole.add_row(metric, _number(value), ends)
    console.print(whole)
    console.print()
    kinds = Table("kind of error", "detections", "costs AP50", box=None)
    for kind, cost in found.errors.costs.items():
        count = found.errors.counts.get(kind)
        kinds.add_row(kind.replace("_", " "), "" if count is None else f"{count:,}", f"{cost:.4f}")
    console.print(kinds)
    console.print()
    classes = Table(Column("class", overflow="fold"), *_OF_CLASSES, box=None)
    for label, values in list(found.classes.items())[:SHOWN]:
        classes.add_row(Text(label), *(_number(values[metric]) for metric in _OF_CLASSES))
    console.print(classes)
    if len(found.classes) > SHOWN:
        console.print(f"… and {len(found.classes) - SHOWN:,} more: --json lists them all")
    for line in (*found.notes, *(t.text for t in held)):
        console.print(line, markup=False, soft_wrap=True)


def _number(value: float | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
