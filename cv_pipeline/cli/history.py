"""``cvp history``: what happened to an image's labels."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json


def history(
    image: Annotated[
        str, typer.Argument(help="SHA-256 or a prefix of it, a file, or a path in the source.")
    ],
    project: Annotated[str | None, typer.Option(help="Look in this project only.")] = None,
    as_json: Json = False,
) -> None:
    """Show every change of an image's labels and splits: when, what, by whom, in which version."""
    from cv_pipeline.provenance.dataset_versions import history_of

    found = history_of(image, project=project)
    if as_json:
        print_json(found.to_json())
        return
    console.print(f"image {found.image_id}", markup=False)
    table = Table("when", "change", "what", "by", "version", box=None)
    for row in found.changes.to_pylist():
        version = row["version"][:12]
        table.add_row(
            f"{row['at']:%Y-%m-%d %H:%M:%S}Z",
            row["change"],
            row["what"],
            row["who"] or "",
            f"{row['source']} {version}",
        )
    console.print(table)
    labels = sorted(found.labels["label"].to_pylist())
    console.print(f"now: {', '.join(labels) or 'no label'}", markup=False)
