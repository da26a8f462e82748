"""``cvp overview``: every image, label, version and model of a project on one page."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.project import find_project, project_names
from cv_pipeline.settings import dagster_home, projects_dir, store_url

if TYPE_CHECKING:
    from cv_pipeline.catalog.overview import LabellingQueue
    from cv_pipeline.overview import Overview

ROWS = 12
"""Most classes, annotators, months, versions and models that the text shows."""


def overview(
    project: Annotated[
        str | None, typer.Argument(help="Name of the project; every project by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Count every image, label, version and model: what is unlabelled, contested or stale, how
    the lake grows, and when labelling will be done.
    """
    dagster_home()
    names = [project] if project else project_names(projects_dir())
    projects = [find_project(name, projects_dir()) for name in names]
    from dagster import DagsterInstance

    from cv_pipeline.overview import overview as count
    from cv_pipeline.storage import open_store

    store = open_store(store_url())
    with DagsterInstance.get() as instance:
        found = [count(p, instance=instance, store=store) for p in projects]
    if as_json:
        print_json(found[0].to_json() if project else [f.to_json() for f in found])
    elif project:
        _page(found[0])
    else:
        console.print(_all(found))


def _page(found: Overview) -> None:
    lake = found.lake
    console.print(f"\n[bold]{found.project}[/]  [dim]{_when(found.at)}[/]")
    images = lake.images
    states = Table("images", "", box=None, title="")
    for name, count, meaning in (
        ("total", images.total, f"{images.bytes / 1e9:,.1f} GB of files"),
        ("labelled", images.labelled, f"{images.labelled_twice:,} by two annotators or more"),
        ("unlabelled", images.unlabelled, f"{images.untouched:,} without label or tag"),
        ("contested", images.contested, "annotators disagree"),
        ("stale", images.stale, "labels of another ontology or guideline version"),
        ("taken out", images.taken_out, "pixels removed on request"),
    ):
        states.add_row(f"{name:<12}{count:>12,}", f"[dim]{meaning}[/]")
    for stage, count in lake.quarantined.items():
        states.add_row(f"{'refused':<12}{count:>12,}", f"[dim]by {stage}[/]")
    console.print(states)
    _rows("classes", lake.classes)
    _rows("annotators", lake.annotators)
    _rows("growth by month", lake.growth[-ROWS:])
    console.print(f"\n[bold]queue[/]  {_queue(lake.queue)}", soft_wrap=True)
    _rows(
        "dataset versions",
        [
            {
                "version": v.version[:12],
                "made": v.made_at,
                "images": v.images,
                "labels": v.objects,
                "models": len(v.models),
                "images ingested since": v.ingested_since,
            }
            for v in found.versions
        ],
    )
    _rows(
        "models",
        [
            {
                "model": m.version[:12],
                "made": m.made_at,
                "dataset": m.dataset[:12],
                found.metric: m.metric,
                "training seconds": m.seconds,
            }
            for m in found.models
        ],
    )


def _all(found: list[Overview]) -> Table:
    table = Table(
        *("project", "images", "unlabelled", "contested", "stale", "labels"),
        *("versions", "models", "end of labelling"),
        box=None,
    )
    for one in found:
        images, queue = one.lake.images, one.lake.queue
        numbers = [images.total, images.unlabelled, images.contested, images.stale]
        numbers += [sum(c["labels"] for c in one.lake.classes), len(one.versions), len(one.models)]
        table.add_row(one.project, *map(_text, numbers), _text(queue.estimated_end))
    return table


def _queue(queue: LabellingQueue) -> str:
    if not queue.waiting:
        return "nothing waits for a label"
    waiting = f"{queue.waiting:,} images wait for a label"
    if queue.images_per_day is None:
        return f"{waiting}; no label says when it was made, so there is no estimate"
    pace = f"{waiting}; {queue.images_per_day:,.1f} a day up to the last label"
    pace += f" ({_when(queue.last_label_at)})"
    if queue.estimated_end is None:
        return f"{pace}: no end in sight"
    latest = _when(queue.latest) if queue.latest else "never"
    return f"{pace}: done on {_when(queue.estimated_end)} ({_when(queue.earliest)} to {latest})"


def _rows(title: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    table = Table(*rows[0], box=None, title=f"\n{title}", title_justify="left")
    for row in rows[:ROWS]:
        table.add_row(*map(_text, row.values()))
    console.print(table)
    if len(rows) > ROWS:
        console.print(f"  … and {len(rows) - ROWS:,} more", style="dim")


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return _when(value)
    return "–" if value is None else str(value)


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "–"
