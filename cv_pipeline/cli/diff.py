"""``cvp diff``: how a dataset version differs from another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.settings import store_url

if TYPE_CHECKING:
    from cv_pipeline.datasets.differences.difference import Difference

REFERENCE = "project@version, a digest or prefix, project@latest, or the folder of a copy."


def diff(
    before: Annotated[str, typer.Argument(help=f"The earlier version: {REFERENCE}")],
    after: Annotated[str, typer.Argument(help="The later version, likewise.")],
    project: Annotated[str | None, typer.Option(help="Look in this project only.")] = None,
    rows: Annotated[
        int, typer.Option(min=0, help="How many images, and how many labels, to list.")
    ] = 20,
    as_json: Json = False,
) -> None:
    """Show the images and labels that differ between two dataset versions, each with its reason."""
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.datasets.differences.difference import difference
    from cv_pipeline.provenance.dataset_versions import open_version
    from cv_pipeline.storage import open_store

    first, second = (open_version(ref, project=project) for ref in (before, after))
    catalog = Catalog(open_store(store_url()), second.record.project)
    found = difference(first, second, catalog=catalog)
    if as_json:
        print_json(found.to_json(rows=rows))
        return
    _summary(found)
    if rows:
        _images(found, rows)
        _labels(found, rows)


def _summary(found: Difference) -> None:
    told = found.to_json(rows=0)
    console.print(f"{found.before.digest[:16]} → {found.after.digest[:16]}", markup=False)
    if found.note and not found.same:
        console.print(f"  reasons are what the records tell: {found.note}", markup=False)
    for rule in found.rules:
        console.print(f"  {rule}", markup=False)
    if found.same:
        console.print("  the same images in the same splits, with the same labels")
    for kind in ("images", "labels"):
        for reason in told[kind]["reasons"]:
            console.print(
                f"  {reason['count']:>9,} {kind} {reason['change']}: {reason['reason']}",
                markup=False,
            )


def _images(found: Difference, rows: int) -> None:
    table = Table("image", "path", "change", "split", "why", title="\nimages", box=None)
    for row in found.images.slice(0, rows).to_pylist():
        splits = " → ".join(
            _place(row, when) for when in ("before", "after") if row[f"split_{when}"]
        )
        table.add_row(row["image_id"][:16], row["path"], row["change"], splits, row["reason"])
    _print(table, shown=rows, of=len(found.images))


def _labels(found: Difference, rows: int) -> None:
    table = Table("image", "label", "change", "what", "why", title="\nlabels", box=None)
    for row in found.labels.slice(0, rows).to_pylist():
        names = dict.fromkeys(x for x in (row["label_before"], row["label_after"]) if x)
        what = ", ".join(
            f"{name} {_short(row[f'{name}_before'])} → {_short(row[f'{name}_after'])}"
            for name in row["fields"].split(",")
            if name
        )
        table.add_row(row["image_id"][:16], " → ".join(names), row["change"], what, row["reason"])
    _print(table, shown=rows, of=len(found.labels))


def _place(row: dict[str, Any], when: str) -> str:
    fold = row[f"fold_{when}"]
    return f"{row[f'split_{when}']}" + ("" if fold is None else f" (fold {fold})")


def _print(table: Table, *, shown: int, of: int) -> None:
    if of:
        console.print(table)
    if of > shown:
        console.print(f"  … and {of - shown:,} more; see --rows", markup=False)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
