"""``cvp check leakage``: whether folders of images share a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table
from rich.text import Text

from cv_pipeline.cli.app import Json, console, errors, fail, print_json
from cv_pipeline.errors import CVPipelineError

if TYPE_CHECKING:
    from cv_pipeline.datasets.duplicates.folder_leakage import FolderLeakage

SHOWN = 50
UNUSABLE = 2
"""Exit status when the check could not be made."""


def leakage(
    folders: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR",
            help="Folders, archives or s3:// prefixes, such as the splits of a dataset.",
        ),
    ],
    threshold: Annotated[
        int,
        typer.Option(min=0, max=16, help="Bits of 64 in which the hashes of a pair may differ."),
    ] = 6,
    between_only: Annotated[
        bool, typer.Option("--between-only", help="Leave out pairs within one folder.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find images that show one picture: exact, re-encoded, resized, mirrored or cropped copies.

    Exit status 0 when there is no pair, 1 when there are some, 2 when a folder is missing or has
    no image. Of over 32 files with the same bytes, each is paired with the first of each folder;
    of copies that differ, the first file of each folder is named for either content.
    """
    from cv_pipeline.datasets.duplicates.folder_leakage import find_leakage

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
            task = bar.add_task("images read")
            found = find_leakage(
                folders,
                threshold=threshold,
                between_only=between_only,
                progress=lambda done, total, what: bar.update(
                    task, completed=done, total=total, description=what
                ),
            )
    except CVPipelineError as error:
        fail(error, status=UNUSABLE)
    if as_json:
        print_json(
            {
                "pairs": found.pairs.to_pylist(),
                "images": found.images,
                "unreadable": [vars(file) for file in found.unreadable],
                "threshold": threshold,
            }
        )
    else:
        _show(found)
    if found.pairs.num_rows:
        raise typer.Exit(1)


def _show(found: FolderLeakage) -> None:
    from cv_pipeline.datasets.checks.finding import counted

    pairs = found.pairs.to_pylist()
    if pairs:
        table = Table("", *(Column(name, overflow="fold") for name in ("file", "copy")))
        for name in ("kind", "bits"):
            table.add_column(name)
        for pair in pairs[:SHOWN]:
            where = "within" if pair["within"] else "between"
            files = (Text(pair["a"]), Text(pair["b"]))  # names may look like markup
            table.add_row(where, *files, pair["kind"], str(pair["distance"]))
        console.print(table)
        if len(pairs) > SHOWN:
            console.print(f"… and {len(pairs) - SHOWN:,} more: --json lists them all")
    for file in found.unreadable[:SHOWN]:
        console.print(f"not read: {file.file}: {file.detail}", markup=False, soft_wrap=True)
    between = sum(not pair["within"] for pair in pairs)
    text = f"{counted(found.images, 'image')}: {counted(between, 'pair')} between folders and"
    text += f" {len(pairs) - between:,} within one"
    if found.unreadable:
        text += f"; {counted(len(found.unreadable), 'file')} could not be read"
    console.print(f"{text}.", markup=False, soft_wrap=True)
