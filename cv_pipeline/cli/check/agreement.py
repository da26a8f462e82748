"""``cvp check agreement``: how far the annotators of plain export files agree."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cv_pipeline.cli.app import Json, console, fail, print_json
from cv_pipeline.cli.check.thresholds import (
    UNUSABLE,
    Maximum,
    Minimum,
    Threshold,
    thresholds,
)
from cv_pipeline.errors import AnnotationError, CVPipelineError

if TYPE_CHECKING:
    from cv_pipeline.quality.agreement import Agreement
    from cv_pipeline.quality.agreement_parts import Part
    from cv_pipeline.quality.annotator_files import AnnotatorFiles

METRICS = ("alpha", "alpha_low", "mean_iou")
_WORST = 3
"""Parts that are told where nothing says what is enough."""


def agreement(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Exports: each tells its annotators, or is one annotator's, called as the file.",
        ),
    ],
    iou: Annotated[
        float, typer.Option(min=0.1, max=1, help="Overlap from which boxes are the same object.")
    ] = 0.5,
    resamples: Annotated[
        int, typer.Option(min=10, max=100_000, help="Bootstrap samples of the interval.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    minimum: Minimum = None,
    maximum: Maximum = None,
    as_json: Json = False,
) -> None:
    """Krippendorff's alpha of classes, or of boxes that are matched one to one first.

    Which classes and pairs of annotators agree least is told, the worst first; `cvp hand-off` tells
    it of a pilot round, edge cases included, with the images in the inspector.

    Metrics are alpha, alpha_low (the lower end of its 95 % interval), mean_iou and CLASS/alpha.
    Exit status 0 when every threshold holds, 1 when one does not, 2 when the check could not be
    made: a file is missing or unreadable, or no image was labelled by two people.
    """
    try:
        read, found, parts = _measured(files, iou=iou, resamples=resamples, seed=seed)
        held = thresholds(minimum, maximum, values=_values(found), known=METRICS)
    except CVPipelineError as error:
        fail(error, status=UNUSABLE)
    if as_json:
        print_json(
            {
                **asdict(found),
                "kind": read.kind,
                "refused": read.refused,
                "parts": [asdict(one) for one in parts],
                "thresholds": [one.to_json() for one in held],
            }
        )
    else:
        _show(read, found, held)
        _show_parts(parts, held)
    if not all(one.passed for one in held):
        raise typer.Exit(1)


def _measured(
    files: list[str], *, iou: float, resamples: int, seed: int
) -> tuple[AnnotatorFiles, Agreement, tuple[Part, ...]]:
    from cv_pipeline.evaluation.resampling import Resampling
    from cv_pipeline.quality.agreement import box_agreement, label_agreement
    from cv_pipeline.quality.agreement_parts import agreement_parts
    from cv_pipeline.quality.annotator_files import read_annotators

    plan = Resampling(resamples=resamples, seed=seed)
    read = read_annotators([Path(file) for file in files])
    if read.kind == "classes":
        found = label_agreement(read.rows, resampling=plan)
    else:
        found = box_agreement(read.rows, looked=read.looked, least_iou=iou, resampling=plan)
    if not found.images:
        raise AnnotationError(
            "No image was labelled by two people, so nothing can be compared.",
            do="Name the exports of several annotators of the same images.",
        )
    looked = None if read.kind == "classes" else read.looked
    parts = agreement_parts(found, read.rows, looked=looked, least_iou=iou, seed=seed)
    return read, found, parts


def _values(found: Agreement) -> dict[str, float]:
    told: dict[str, Any] = {
        "alpha": found.alpha.value,
        "alpha_low": found.alpha.low,
        "mean_iou": found.mean_iou,
        **{f"{label}/alpha": one.value for label, one in found.per_label.items()},
    }
    return {name: value for name, value in told.items() if value is not None}


def _show(read: AnnotatorFiles, found: Agreement, held: list[Threshold]) -> None:
    table = Table("", "alpha", "low", "high", "labels", box=None)
    for label, one in [("all", found.alpha), *found.per_label.items()]:
        told = [f"{v:.3f}" if v is not None else "–" for v in (one.value, one.low, one.high)]
        table.add_row(Text(label), *told, f"{one.values:,}")
    console.print(table)
    text = f"{found.images:,} images by {found.annotators} annotators"
    if found.objects is not None:
        overlap = f", mean IoU {found.mean_iou:.3f}" if found.mean_iou is not None else ""
        text += f", {found.objects:,} objects of which {found.agreed or 0:,} agree{overlap}"
    if found.alpha.value is None:
        text += f"; alpha is not defined: {found.alpha.why}"
    if read.refused:
        text += f"; {sum(read.refused.values()):,} parts of the files could not be read"
    console.print(f"{text}.", markup=False, soft_wrap=True)
    for threshold in held:
        style = "green" if threshold.passed else "red"
        console.print(threshold.text, style=style, markup=False)


def _show_parts(parts: tuple[Part, ...], held: list[Threshold]) -> None:
    """The parts that keep alpha down, the worst first: below what is asked for, or the worst."""
    asked = [t.threshold for t in held if t.metric in ("alpha", "alpha_low") and t.bound == "min"]
    known = [one for one in parts if one.alpha.value is not None]
    least = max(asked, default=None)
    if least is None:
        title, shown = "Agree least:", known[:_WORST]
    else:
        title, shown = f"Below {least:g}:", [one for one in known if one.fails(least)]
    if not shown:
        return
    console.print(title)
    for one in shown:
        images = f", {one.images:,} images" if one.images is not None else ""
        console.print(
            f"  {one.kind} {one.name}: alpha {one.alpha.value:.3f}{images}",
            markup=False,
            soft_wrap=True,
        )
