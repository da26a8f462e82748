"""``cvp hand-off``: whether volume work may start, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.project import find_project
from cv_pipeline.settings import projects_dir, store_url

if TYPE_CHECKING:
    from cv_pipeline.labeling.batches.hand_off import HandOffState
    from cv_pipeline.labeling.batches.pilot_parts import PilotPart


def hand_off(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    batch: Annotated[
        str, typer.Option(help="Batch that is to be pushed; a pilot needs less than the others.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Say whether volume work may start, and what is missing; exit status 1 when something is.

    The schema must be locked, a gold set cover every class and edge case, the loop that looks after
    quality be defined, and a pilot round have shown that people agree.
    """
    from cv_pipeline.catalog.datalake.image_batches import require_batch
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.labeling.batches.hand_off import missing, state
    from cv_pipeline.labeling.batches.pilot_parts import pilot_parts
    from cv_pipeline.storage import open_store

    settings = find_project(project, projects_dir())
    catalog = Catalog(open_store(store_url()), project)
    if batch:
        require_batch(catalog, batch)
    found = state(settings, catalog=catalog, batch=batch)
    parts = {one.batch: pilot_parts(settings, catalog, one) for one in found.pilots}
    lacking = missing(settings, catalog=catalog, batch=batch) if batch else found.missing
    if as_json:
        pilots = [
            {**asdict(pilot), "parts": [asdict(part) for part in parts[pilot.batch]]}
            for pilot in found.pilots
        ]
        print_json(
            {
                "project": project,
                "batch": batch,
                "may_start": not lacking,
                "enforced": found.enforced,
                "missing": [asdict(one) for one in lacking],
                "gold": [{**asdict(one), "enough": one.enough} for one in found.gold],
                "pilots": pilots,
            }
        )
    else:
        _show(found, project, parts)
        for one in lacking:
            console.print(f"missing: {one.what}", style="red", markup=False, soft_wrap=True)
            console.print(f"  → {one.do}", markup=False, soft_wrap=True)
        if not lacking:
            what = f"Batch {batch} may be pushed." if batch else "Volume work may start."
            console.print(what, style="green", markup=False)
    if lacking:
        raise typer.Exit(1)


def _show(found: HandOffState, project: str, parts: Mapping[str, Sequence[PilotPart]]) -> None:
    from cv_pipeline.labeling.batches.hand_off import PARTS

    table = Table("", "", box=None, show_header=False)
    for part, title in PARTS.items():
        outcome = "[red]missing[/]" if found.of(part) else "[green]stands[/]"
        table.add_row(title, outcome)
    console.print(table)
    for pilot in found.pilots:
        alpha = pilot.agreement.alpha
        told = (
            f"{alpha.value:.3f} [{alpha.low:.3f}, {alpha.high:.3f}]"
            if alpha.value is not None
            else f"not defined: {alpha.why}"
        )
        iou = pilot.agreement.mean_iou
        boxes = f", mean IoU {iou:.2f}" if iou is not None else ""
        console.print(
            f"pilot {escape(pilot.batch)}: {pilot.agreement.images} images by"
            f" {pilot.agreement.annotators} people, alpha {escape(told)}{boxes}",
        )
        for one in parts[pilot.batch]:
            if one.fails:
                _show_part(one, project)
    if not found.enforced:
        console.print("The gate is not enforced: labeling.hand_off.enforce is false.")


def _show_part(one: PilotPart, project: str) -> None:
    """A part on which people agree too little, with its images in the inspector."""
    console.print(
        f"  {one.part.kind} {one.part.name}: alpha {one.part.alpha.value:.3f}, in the inspector at"
        f" /p/{project}/images?{urlencode({'q': one.query})}",
        style="red",
        markup=False,
        soft_wrap=True,
    )
