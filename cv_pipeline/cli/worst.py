"""``cvp worst``: from a metric to the images that are behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.settings import dagster_home

if TYPE_CHECKING:
    from cv_pipeline.provenance.worst_images import WorstImage


def worst(
    metric: Annotated[
        str, typer.Argument(help="project/metric@evaluation, such as fruit/AP50@latest.")
    ],
    count: Annotated[int, typer.Option("-n", "--count", help="How many images.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the images that a metric is worst on, with labels and predictions as they were."""
    dagster_home()
    from cv_pipeline.provenance import worst_images

    found = worst_images(metric, n=count)
    if as_json:
        print_json(found.to_json())
        return
    path = Column("path", overflow="fold")  # whole, for it is what the next command asks for
    table = Table("image", path, "score", "mistakes", "labels", "predictions", box=None)
    least = found.operating_point or 0.0  # what scored lower is no mistake, and was not counted
    for image in found.images:
        table.add_row(
            f"[yellow]{image.image_id[:12]}[/]",
            escape(image.path) + (" [red]taken out[/]" if image.taken_out else ""),
            f"{image.score:.3f}",
            escape(_mistakes(image)),
            escape(_counted(image.labels)),
            escape(_counted([p for p in image.predictions if p["score"] >= least])),
        )
    console.print(
        f"[bold]{found.project}/{found.metric}[/] {found.value:.4f} on {found.split},"
        f" model [yellow]{found.model[:16]}[/], dataset [yellow]{found.dataset[:16]}[/]\n"
    )
    console.print(table)


def _mistakes(image: WorstImage) -> str:
    if image.truth is not None:
        return "none" if image.correct else f"{image.truth} taken for {image.predicted or 'none'}"
    parts = [
        f"{number} {what}"
        for number, what in ((image.false_negatives, "missed"), (image.false_positives, "false"))
        if number
    ]
    return ", ".join(parts) or "none"


def _counted(rows: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(row["label"] for row in rows)
    return ", ".join(f"{n} {label}" for label, n in sorted(counts.items())) or "–"
