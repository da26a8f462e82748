"""``cvp queries``: the names that queries have, and the log of what was asked."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.errors import QueryError


def queries(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    log: Annotated[
        bool, typer.Option("--log", help="List what was asked, instead of what has a name.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most queries of the log to list.")] = 20,
    forget: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take the name of a query away.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List saved queries, or what was asked, by whom and when, with what came of it."""
    from cv_pipeline.catalog.datalake.datalake import Datalake

    if forget is not None and log:
        raise QueryError("--forget is about names, which the log has none of.", do="Give one.")
    lake = Datalake.open(project, origin="cli")
    if forget is not None:
        lake.forget(forget)
    found = lake.log(limit=limit) if log else lake.queries()
    if as_json:
        print_json([asdict(query) for query in found])
        return
    for query in found:
        name = getattr(query, "name", None) or getattr(query, "query_id", "")
        console.print(
            f"[bold]{name}[/]  {query.count:,} images  [dim]{query.at:%Y-%m-%d %H:%M} UTC,"
            f" {query.actor}[/]",
            soft_wrap=True,
        )
        console.print(f"  {query.text}", markup=False, soft_wrap=True)
    if not found:
        hint = "asked yet" if log else f"saved: cvp query {project} TEXT --save NAME"
        console.print(f"No query was {hint}.", markup=False, soft_wrap=True)
