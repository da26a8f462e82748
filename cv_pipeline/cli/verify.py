"""``cvp verify``: hash again what was published, cached or copied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cv_pipeline.cli.app import Json, console, errors, print_json
from cv_pipeline.errors import DatasetError
from cv_pipeline.settings import cv_home, store_url

if TYPE_CHECKING:
    from cv_pipeline.verification import Report

SHOWN = 5


def verify(
    refs: Annotated[
        list[str] | None,
        typer.Argument(help="Dataset versions: project@version, a digest or prefix, or a folder."),
    ] = None,
    store: Annotated[
        bool, typer.Option("--store", help="Everything that was published, and every image.")
    ] = False,
    cache: Annotated[
        bool, typer.Option("--cache", help="The local copies of a remote store's folders.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(help="A folder that cvp export made, or a copy of one.")
    ] = None,
    no_pixels: Annotated[
        bool, typer.Option("--no-pixels", help="Do not read the images; they need only be there.")
    ] = False,
    project: Annotated[str | None, typer.Option(help="Look in this project only.")] = None,
    as_json: Json = False,
) -> None:
    """Hash everything again and name what differs; exit status 1 when something does."""
    from cv_pipeline.provenance.dataset_versions import open_version
    from cv_pipeline.storage import open_store
    from cv_pipeline.verification import (
        merged,
        verify_cache,
        verify_copy,
        verify_store,
        verify_versions,
    )

    if not (refs or store or cache or folder):
        raise DatasetError(
            "Nothing to verify was named.",
            do="Name a dataset version, --store, --cache or --folder DIR.",
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    reports: list[Report] = []
    cached = cv_home() / "cache"
    with Progress(
        *columns, TimeRemainingColumn(), console=errors, disable=not errors.is_terminal
    ) as bar:
        task = bar.add_task("verify", total=None)

        def progress(done: int, total: int | None, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        if refs:
            versions = [open_version(ref, project=project) for ref in refs]
            where = open_store(store_url())
            reports.append(
                verify_versions(
                    versions, store=where, cache=cached, pixels=not no_pixels, progress=progress
                )
            )
        if store:
            where = open_store(store_url())
            reports.append(verify_store(where, pixels=not no_pixels, progress=progress))
        if cache:
            reports.append(verify_cache(cached, progress=progress))
        if folder:
            reports.append(verify_copy(folder, progress=progress))
    found = merged(reports)
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)
    if not found.ok:
        raise typer.Exit(1)


def _print(found: Report) -> None:
    for problem in found.problems:
        console.print(f"{problem.kind}: {problem.what}", style="red", markup=False, soft_wrap=True)
        console.print(f"  → {problem.do}", markup=False, soft_wrap=True)
    if found.taken_out:
        names = ", ".join(image_id[:16] for image_id in found.taken_out[:SHOWN])
        more = ", …" if len(found.taken_out) > SHOWN else ""
        console.print(
            f"{len(found.taken_out):,} images were taken out on request: {names}{more}",
            markup=False,
            soft_wrap=True,
        )
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.checked.items()))
    differ = f"{len(found.problems):,} differ" if found.problems else "all as they say they are"
    console.print(f"verified {counts or 'nothing'}: {differ}", markup=False)
