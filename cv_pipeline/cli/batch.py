"""``cvp batch``: one batch, and what people decide about it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.errors import LabelingError

if TYPE_CHECKING:
    from cv_pipeline.labeling.batches.declared import LabelingBatch


def batch(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    name: Annotated[str, typer.Argument(help="Name of the batch.")],
    queue: Annotated[str | None, typer.Option(help="Queue that it waits in.")] = None,
    owner: Annotated[str | None, typer.Option(help="Account of who answers for it.")] = None,
    deadline: Annotated[
        str | None,
        typer.Option(help="When it is to be done, as 2026-12-24 or 2026-12-24T12:00; none for no."),
    ] = None,
    overlap: Annotated[int | None, typer.Option(help="Annotators that label each image.")] = None,
    priority: Annotated[int | None, typer.Option(help="What comes first: the larger.")] = None,
    difficulty: Annotated[str | None, typer.Option(help="easy, medium or hard.")] = None,
    task_type: Annotated[str | None, typer.Option(help="What is to be done.")] = None,
    pilot: Annotated[
        bool | None,
        typer.Option(
            "--pilot/--no-pilot",
            help="Whether it is a pilot round, which two people label unless --overlap says more.",
        ),
    ] = None,
    pause: Annotated[bool, typer.Option("--pause", help="Hold it up.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Let it go on where it was.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End it for good.")] = False,
    as_json: Json = False,
) -> None:
    """Show a batch that is labelled, or change its settings or state."""
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.cli.user import write_down
    from cv_pipeline.labeling.batches import declared as batches
    from cv_pipeline.project import find_project
    from cv_pipeline.settings import projects_dir, store_url
    from cv_pipeline.storage import open_store

    declared = find_project(project, projects_dir())
    catalog = Catalog(open_store(store_url()), project)
    if pause + resume + cancel > 1:
        raise LabelingError(
            "--pause, --resume and --cancel say different things.", do="Give one of them."
        )
    hours = declared.labeling.batches.stuck_hours
    before = batches.labeling_batch(catalog, name, stuck_hours=hours)
    settings: dict[str, Any] = {
        "queue": queue,
        "owner": owner,
        "overlap": overlap,
        "priority": priority,
        "difficulty": difficulty,
        "task_type": task_type,
        "pilot": pilot,
    }
    changes = {key: value for key, value in settings.items() if value is not None}
    if deadline is not None:
        changes["deadline"] = as_deadline(deadline)
    if changes and not before.declared:
        defaults = {"task_type": declared.task, "overlap": declared.labeling.overlap}
        changes = {**defaults, **changes}
    if pilot and overlap is None and max(before.overlap, changes.get("overlap", 1)) < 2:
        changes["overlap"] = 2  # else nobody's agreement can be measured
    if changes and batches.change(catalog, name, **changes):
        plain = {k: str(v) if isinstance(v, datetime) else v for k, v in changes.items()}
        write_down("batch.settings", name, project=project, **plain)
    if pause and batches.change_state(catalog, name, "paused"):
        write_down("batch.pause", name, project=project)
    if resume:
        batches.resume(catalog, name)
        write_down("batch.resume", name, project=project)
    if cancel and batches.change_state(catalog, name, "cancelled"):
        write_down("batch.cancel", name, project=project)
    found = batches.labeling_batch(catalog, name, stuck_hours=hours)
    if as_json:
        print_json({**asdict(found), "open_labels": found.open_labels})
        return
    _show(found)


def as_deadline(text: str) -> datetime | None:
    """A deadline as somebody writes it: an ISO date or time, UTC where no zone is given.

    Raises:
        LabelingError: it is none.
    """
    if text.strip().lower() in ("", "none"):
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise LabelingError(
            f"{text!r} is no date.", do="Write it as 2026-12-24 or 2026-12-24T12:00."
        ) from None
    if len(text.strip()) <= 10:  # a day is over at its end
        found = found.replace(hour=23, minute=59, second=59)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _show(found: LabelingBatch) -> None:
    from cv_pipeline.labeling.batches.states import said

    console.print(f"[bold]{escape(found.name)}[/]: {said(found.state)}")
    if found.stuck:
        console.print(f"  [bold yellow]stuck:[/] {escape(found.stuck)}")
    console.print(
        f"  {found.labelled:,} of {found.images:,} images labelled by {found.overlap},"
        f" {found.partly:,} in part; {found.pushed:,} in the tool"
    )
    for count, what in (
        (found.skipped, "skipped by annotators"),
        (found.rejected, "set aside to be labelled again"),
        (found.deleted, "deleted in the tool"),
    ):
        if count:
            console.print(f"  {count:,} {what}")
    task = escape(found.task_type) or "no task type declared"
    pilot = ", a pilot round" if found.pilot else ""
    console.print(f"  {task}, {found.difficulty}{pilot}; queue {escape(found.queue)}")
    due = f"{found.deadline:%Y-%m-%d %H:%M} UTC" if found.deadline else "none"
    console.print(f"  owner {escape(found.owner) or 'nobody'}, deadline {due}")
    if found.annotators:
        console.print(f"  annotators: {escape(', '.join(found.annotators))}")
