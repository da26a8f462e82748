"""``cvp set-aside`` and ``cvp batches``: images that wait to be labelled, or labelled again."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json


def set_aside(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    query: Annotated[str, typer.Argument(help="Which images, in the query language.")],
    name: Annotated[str, typer.Option(help="Name of the batch.")],
    purpose: Annotated[
        Literal["label", "relabel"], typer.Option(help="What is to be done with them.")
    ] = "label",
    reason: Annotated[str, typer.Option(help="Why, in words.")] = "",
    as_json: Json = False,
) -> None:
    """Set the images that a query selects aside as a batch; doing it again changes nothing."""
    from cv_pipeline.catalog.datalake.datalake import Datalake

    lake = Datalake.open(project, origin="cli")
    found = lake.query(query)
    new = lake.set_aside(found, name, purpose=purpose, reason=reason)
    if as_json:
        print_json({"name": name, "purpose": purpose, "images": found.count, "new": new})
        return
    told = "set aside" if new else "were set aside before"
    console.print(f"{found.count:,} images {told} to {purpose}: {name}", markup=False)


def batches(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    as_json: Json = False,
) -> None:
    """List the batches of images that were set aside, and how many have labels by now."""
    from cv_pipeline.catalog.datalake.datalake import Datalake

    found = Datalake.open(project, origin="cli").batches()
    if as_json:
        print_json([vars(batch) for batch in found])
        return
    if not found:
        console.print("No batch was set aside yet.")
        return
    table = Table("batch", "purpose", "state", "labelled", "by", "when", "why", box=None)
    for batch in found:
        table.add_row(
            escape(batch.name),
            batch.purpose,
            batch.state,
            f"{batch.labelled:,} of {batch.images:,}",
            escape(batch.actor),
            f"{batch.at:%Y-%m-%d %H:%M}",
            escape(batch.reason or batch.query),
        )
    console.print(table)
