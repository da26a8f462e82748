"""``cvp compare``: which of two models is better, how surely, and on which images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.settings import dagster_home

if TYPE_CHECKING:
    from cv_pipeline.evaluation.comparison import Comparison
    from cv_pipeline.evaluation.comparison.paired import Difference

MODEL = "digest or prefix of a model, latest or champion"
SLICES = 15


def compare(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    before: Annotated[str, typer.Argument(metavar="MODEL", help=f"The first: {MODEL}.")],
    after: Annotated[str, typer.Argument(metavar="MODEL", help="The second, likewise.")],
    images: Annotated[int, typer.Option(min=0, help="How many images that changed to list.")] = 10,
    as_json: Json = False,
) -> None:
    """Compare two models on the images that both were evaluated on."""
    dagster_home()
    from cv_pipeline.provenance.comparisons import compare_models

    found = compare_models(project, before, after)
    if as_json:
        print_json(found.to_json(images=images))
    else:
        _show(found, images)


def _show(found: Comparison, images: int) -> None:
    console.print(
        f"model [yellow]{found.before[:12]}[/] → [yellow]{found.after[:12]}[/] on"
        f" {found.images:,} images of {found.split}"
    )
    console.print(f"[bold]{escape(found.verdict)}[/]\n")
    table = _metrics_table("metric")
    for metric, difference in found.overall.items():
        table.add_row(metric, *_cells(difference))
    for label, metrics in found.classes.items():
        for metric, difference in metrics.items():
            if difference.significant:
                table.add_row(escape(f"{metric} of {label}"), *_cells(difference))
    console.print(table)
    _slices(found)
    _costs(found.costs)
    _images(found, images)
    for note in found.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)


def _metrics_table(name: str) -> Table:
    return Table(name, "before", "after", "difference", "95 %", "p", box=None)


def _cells(found: Difference) -> list[str]:
    if found.difference is None:
        return [_number(found.before), _number(found.after), "–", "–", "–"]
    interval, p_value = "–", "–"
    if found.low is not None and found.high is not None:
        interval = f"{found.low:+.4f} to {found.high:+.4f}"
    if found.p_value is not None:
        p_value = "< 0.001" if found.p_value < 0.001 else f"{found.p_value:.2g}"
    mark = f"[bold]{found.difference:+.4f}[/]" if found.significant else f"{found.difference:+.4f}"
    return [_number(found.before), _number(found.after), mark, interval, p_value]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _slices(found: Comparison) -> None:
    rows = found.slices.filter(found.slices["significant"]).slice(0, SLICES).to_pylist()
    if not rows:
        return
    table = Table("slice", "metric", "images", "before", "after", "difference", "p", box=None)
    for row in rows:
        name = "not set" if row["slice_value"] is None else row["slice_value"]
        of = "" if row["label"] is None else f" of {row['label']}"
        table.add_row(
            escape(f"{row['slice_key']}: {name}"),
            escape(f"{row['metric']}{of}"),
            f"{row['images']:,}",
            *(_number(row[k]) for k in ("before", "after")),
            f"{row['difference']:+.4f}",
            f"{row['adjusted_p']:.2g}",
        )
    console.print("\nslices that differ (p corrected for all of them)")
    console.print(table)


def _costs(costs: Mapping[str, tuple[float | None, float | None]]) -> None:
    known = {name: pair for name, pair in costs.items() if any(v is not None for v in pair)}
    if not known:
        return
    table = Table("cost", "before", "after", box=None)
    for name, pair in known.items():
        table.add_row(name, *("–" if v is None else f"{v:,.6g}" for v in pair))
    console.print()
    console.print(table)


def _images(found: Comparison, images: int) -> None:
    rows: list[dict[str, Any]] = found.changed.slice(0, images).to_pylist()
    if not rows:
        return
    table = Table("image", "", "score before", "after", "taken for", box=None)
    for row in rows:
        told = ""
        if row["truth"] is not None:
            said = [row[f"predicted_{when}"] or "none" for when in ("before", "after")]
            told = f"{row['truth']}: {said[0]} → {said[1]}"
        table.add_row(
            f"[yellow]{row['image_id'][:12]}[/]",
            row["change"],
            f"{row['score_before']:.3f}",
            f"{row['score_after']:.3f}",
            escape(told),
        )
    console.print(f"\nimages: {found.gained} gained, {found.lost} lost")
    console.print(table)
