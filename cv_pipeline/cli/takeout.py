"""``cvp takeout``: images whose pixels must go, for good, and what had used them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.errors import ProvenanceError
from cv_pipeline.project import project_names
from cv_pipeline.settings import cv_home, dagster_home, projects_dir, store_url

if TYPE_CHECKING:
    from cv_pipeline.catalog.takeout import TakeOutReport
    from cv_pipeline.provenance.image_usage import ImageUsage
    from cv_pipeline.storage import Tombstone, Use

SHOWN = 8
"""Versions of a kind that are listed by their digest; --json lists all."""

OUTSIDE = (
    "Not reached from here: the source itself, exports, copies of the store and its backups, and"
    " what MLflow keeps."
)


def takeout(
    images: Annotated[
        list[str] | None,
        typer.Argument(help="SHA-256, a prefix of 8 or more, a file, or a path in the source."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; recorded for those who will ask.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what had used the images.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    list_all: Annotated[
        bool, typer.Option("--list", help="List what was taken out: who, when and why.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take images out for good: list what had used them, remove their pixels, keep them out.

    There is no way back. Rows of earlier dataset versions stay, and say so; models that were
    trained on the images are marked. Killed at any moment, it is completed by running it again.
    """
    dagster_home()
    from cv_pipeline.storage import Tombstones, open_store

    store = open_store(store_url())
    if list_all:
        _list(list(Tombstones(store)), as_json=as_json)
        return
    if not images:
        raise ProvenanceError("No image is named.", do="Run: cvp takeout IMAGE… --reason TEXT")
    from dagster import DagsterInstance

    from cv_pipeline.provenance.takeout import plan_takeout, require_reason, take_out_images

    with DagsterInstance.get() as instance:
        usages = plan_takeout(
            images,
            instance=instance,
            store=store,
            projects=project_names(projects_dir()),
            cache=cv_home() / "cache",
        )
        if not as_json:
            _show(usages)
        if dry_run:
            if as_json:
                print_json(_plain(usages, None))
            return
        require_reason(usages, reason)
        _confirm(usages, yes=yes, as_json=as_json)
        report = take_out_images(
            usages, reason=reason, instance=instance, store=store, home=cv_home()
        )
    if as_json:
        print_json(_plain(usages, report))
    else:
        _tell(report)


def _confirm(usages: Sequence[ImageUsage], *, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json:
        raise ProvenanceError(
            "Taking images out cannot be undone, and nobody can be asked here.", do="Add --yes."
        )
    console.print("[bold]This cannot be undone:[/] the pixels are removed for good.")
    typer.confirm(f"Take out {len(usages)} images?", abort=True)


def _show(usages: Iterable[ImageUsage]) -> None:
    for usage in usages:
        where = ", ".join(f"{project}: {path}" for project, path in usage.paths.items())
        console.print(f"[bold cyan]image[/] [yellow]{usage.image_id}[/]  {escape(where)}")
        if usage.tombstone is not None:
            console.print(f"  taken out before: {escape(_who(usage.tombstone))}")
        if not usage.used_by:
            console.print("  nothing used it")
        for (kind, split), uses in _grouped(usage.used_by).items():
            names = ", ".join(map(_name, uses[:SHOWN]))
            more = f" and {len(uses) - SHOWN} more" if len(uses) > SHOWN else ""
            console.print(f"  {len(uses)} {kind} ({split}): {names}{more}", markup=False)
        if usage.lost:
            console.print(
                f"  [yellow]{len(usage.lost)} dataset versions may have held it, but their folders"
                f" are not in the store:[/] {', '.join(v[:12] for v in usage.lost[:SHOWN])}"
            )
        if usage.pictures_in_log:
            events = ", ".join(map(str, usage.pictures_in_log[:SHOWN]))
            console.print(
                f"  {len(usage.pictures_in_log)} events of an earlier release have a picture inside"
                f" that may show it and cannot be changed: {events}"
            )


def _name(use: Use) -> str:
    """Its digest; of an evaluation also the metrics of its headline split."""
    measured = [f"{name} {value:.3f}" for name, value in use.metrics.items() if "/" not in name]
    name = f"{use.project}@{use.version[:12]}"
    return f"{name} ({', '.join(measured)})" if measured else name


def _grouped(uses: Iterable[Use]) -> dict[tuple[str, str], list[Use]]:
    groups: dict[tuple[str, str], list[Use]] = defaultdict(list)
    for use in uses:
        groups[use.kind, use.split].append(use)
    return groups


def _tell(report: TakeOutReport) -> None:
    console.print(
        f"\ntook out {len(report.tombstones)} images; marked {report.models_marked} models;"
        f" removed {len(report.pictures)} contact sheets and {len(report.copies.removed)} copies"
    )
    if report.copies.in_use:
        console.print(
            "[yellow]not complete:[/] processes that may have staged a copy still run; run this"
            " again when they have ended:"
        )
        for folder in report.copies.in_use:
            console.print(f"  {folder}", markup=False)
    console.print(OUTSIDE)


def _list(tombstones: Sequence[Tombstone], *, as_json: bool) -> None:
    if as_json:
        print_json({"takeouts": [t.model_dump(mode="json") for t in tombstones]})
        return
    table = Table("image", "taken out", "had used it", "", box=None)
    for tombstone in tombstones:
        counts: dict[str, int] = defaultdict(int)
        for use in tombstone.used_by:
            counts[use.kind] += 1
        used = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "nothing"
        unfinished = f"[red]not complete: cvp takeout {tombstone.image_id[:12]}[/]"
        table.add_row(
            f"[yellow]{tombstone.image_id[:16]}[/]",
            escape(_who(tombstone)),
            used,
            "" if tombstone.completed_at else unfinished,
        )
    console.print(table if tombstones else "nothing was taken out")


def _who(tombstone: Tombstone) -> str:
    return f"{tombstone.at:%Y-%m-%d %H:%M}Z by {tombstone.actor}: {tombstone.reason}"


def _plain(usages: Sequence[ImageUsage], report: TakeOutReport | None) -> dict[str, Any]:
    """What is known of the images, and what was done, as plain values."""
    standing = {t.image_id: t for t in report.tombstones} if report else {}
    images = []
    for usage in usages:
        tombstone = standing.get(usage.image_id, usage.tombstone)
        plain = {k: v for k, v in asdict(usage).items() if k not in ("used_by", "tombstone")}
        images.append(
            {
                **plain,
                "used_by": [use.model_dump(mode="json") for use in usage.used_by],
                "taken_out": tombstone.model_dump(mode="json", exclude={"image_id", "used_by"})
                if tombstone
                else None,
            }
        )
    if report is None:
        return {"images": images, "done": False}
    return {
        "images": images,
        "done": True,
        "pictures_removed": list(report.pictures),
        "copies_removed": [str(path) for path in report.copies.removed],
        "in_use": [str(path) for path in report.copies.in_use],
        "models_marked": report.models_marked,
        "not_reached": OUTSIDE,
    }
