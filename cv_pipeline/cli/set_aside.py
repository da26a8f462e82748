"""``cvp set-aside`` and ``cvp batches``: images that wait to be labelled, or labelled again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.project import find_project
from cv_pipeline.settings import projects_dir

if TYPE_CHECKING:
    from cv_pipeline.catalog.datalake.datalake import Datalake
    from cv_pipeline.catalog.datalake.image_batches import ImageBatch, Purpose
    from cv_pipeline.catalog.datalake.query_result import QueryResult
    from cv_pipeline.labeling.batches.declared import LabelingBatch


def set_aside(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    query: Annotated[str, typer.Argument(help="Which images, in the query language.")],
    name: Annotated[str, typer.Option(help="Name of the batch.")],
    purpose: Annotated[
        Literal["label", "relabel"], typer.Option(help="What is to be done with them.")
    ] = "label",
    reason: Annotated[str, typer.Option(help="Why, in words.")] = "",
    divide: Annotated[
        bool,
        typer.Option(
            "--divide",
            help="Into batches by difficulty and of a size that people finish, as labeling.batches"
            " says; the name is what theirs begin with.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Set the images that a query selects aside as a batch; doing it again changes nothing."""
    from cv_pipeline.catalog.datalake.datalake import Datalake

    lake = Datalake.open(project, origin="cli")
    found = lake.query(query)
    if divide:
        _divide(lake, found, name, purpose=purpose, reason=reason, as_json=as_json)
        return
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
    """List the batches of images that were set aside: state, progress, and which are stuck."""
    from cv_pipeline.catalog.datalake.datalake import Datalake
    from cv_pipeline.labeling.batches.declared import list_labeling_batches
    from cv_pipeline.labeling.batches.states import said

    lake = Datalake.open(project, origin="cli")
    found = lake.batches()
    hours = find_project(project, projects_dir()).labeling.batches.stuck_hours
    work = {b.name: b for b in list_labeling_batches(lake.catalog, stuck_hours=hours)}
    if as_json:
        print_json([_as_json(batch, work[batch.name]) for batch in found])
        return
    if not found:
        console.print("No batch was set aside yet.")
        return
    columns = ("batch", "to", "state", "labelled", "what", "by", "deadline", "why")
    table = Table(*columns, box=None)
    for batch in found:
        own = work[batch.name]
        done = max(batch.labelled, own.labelled)
        table.add_row(
            escape(batch.name),
            batch.purpose,
            "[yellow]stuck[/]" if own.stuck else said(own.state),
            f"{done:,} of {batch.images:,}" + (f" by {own.overlap}" if own.overlap > 1 else ""),
            own.difficulty if own.declared else "",
            escape(own.owner or batch.actor),
            f"{own.deadline:%Y-%m-%d}" if own.deadline else "",
            escape(batch.reason or batch.query),
        )
    console.print(table)
    for own in work.values():
        if own.stuck:
            told = f"[yellow]{escape(own.name)} is stuck[/]: {escape(own.stuck)}"
            console.print(told, soft_wrap=True)


def _as_json(batch: ImageBatch, work: LabelingBatch) -> dict[str, Any]:
    """What was set aside, and how far its labelling is in the tool."""
    told = {
        name: value
        for name, value in vars(work).items()
        if name not in ("name", "purpose", "reason", "images", "labelled", "set_aside_at")
    }
    labelled = {"labelled_in_tool": work.labelled, "open_labels": work.open_labels}
    return {**vars(batch), **told, **labelled}


def _divide(
    lake: Datalake, found: QueryResult, name: str, *, purpose: Purpose, reason: str, as_json: bool
) -> None:
    from cv_pipeline.labeling.batches.division import divide

    project = find_project(lake.project, projects_dir())
    parts = divide(
        lake.catalog,
        found.image_ids,
        name=name,
        task_type=project.task,
        rules=project.labeling.batches,
        purpose=purpose,
        reason=reason,
        query=found.text,
        overlap=project.labeling.overlap,
    )
    if as_json:
        print_json([vars(part) for part in parts])
        return
    table = Table("batch", "difficulty", "images", "", box=None)
    for part in parts:
        told = "set aside" if part.new else "were set aside before"
        table.add_row(escape(part.name), part.difficulty, f"{part.images:,}", told)
    console.print(table)
