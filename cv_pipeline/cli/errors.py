"""``cvp errors``: from a kind of error, or a cell of the confusion, to its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.cli.verdict import EvaluationRef
from cv_pipeline.settings import dagster_home


def errors(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    kind: Annotated[
        str | None,
        typer.Option(
            help="classification, localisation, both, duplicate, background, missed or correct;"
            " every kind of error."
        ),
    ] = None,
    truth: Annotated[
        str | None, typer.Option(help="True class; none where nothing is there.")
    ] = None,
    predicted: Annotated[
        str | None, typer.Option(help="Predicted class; none where an object was missed.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="train, val or test; the headline's.")] = None,
    label_errors: Annotated[
        bool,
        typer.Option("--likely-label-errors", help="Labels that are likely to be wrong instead."),
    ] = False,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many to list.")] = 50,
    evaluation: EvaluationRef = "latest",
    as_json: Json = False,
) -> None:
    """List mistakes with their images, the most confident first, or labels that look wrong."""
    dagster_home()
    from cv_pipeline.provenance.found_errors import find_errors

    found = find_errors(
        project,
        evaluation=evaluation,
        kind=kind,
        truth=truth,
        predicted=predicted,
        split=split,
        label_errors=label_errors,
        n=count,
    )
    if as_json:
        print_json(found.to_json())
        return
    what = "labels that are likely to be wrong" if label_errors else "found"
    console.print(
        f"{found.total:,} {what} on {found.images:,} images ({found.split}),"
        f" model [yellow]{found.model[:12]}[/], evaluation [yellow]{found.evaluation[:12]}[/]"
    )
    if not found.rows:
        return
    kind_column, columns = ("issue", ("given", "suggested")) if label_errors else (
        "kind", ("truth", "predicted")
    )  # fmt: skip
    table = Table(
        "image", Column("path", overflow="fold"), kind_column, *columns, "score", "iou", box=None
    )
    for row in found.rows:
        table.add_row(*_cells(row, kind_column, columns))
    console.print(table)
    if found.total > len(found.rows):
        console.print(f"… and {found.total - len(found.rows):,} more: -n {found.total}")


def _cells(row: Mapping[str, Any], kind: str, columns: tuple[str, str]) -> list[str]:
    numbers = ["–" if row[c] is None else f"{row[c]:.3f}" for c in ("score", "iou")]
    names = [escape(row[c] or "none") for c in columns]
    return [
        f"[yellow]{row['image_id'][:12]}[/]", escape(row["path"]), row[kind], *names, *numbers,
    ]  # fmt: skip
