"""``cvp export``: a dataset version in another tool's format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cv_pipeline.cli.app import Json, console, errors, print_json
from cv_pipeline.project import SplitName
from cv_pipeline.settings import store_url

SHOWN = 5


def export(
    dataset: Annotated[
        str,
        typer.Argument(help="project@version, a digest or prefix, or the folder of a copy."),
    ],
    format: Annotated[  # noqa: A002 - the word for it
        str, typer.Option(help="coco, csv, cvat, huggingface, label_studio, labelme, pascal_voc, …")
    ],
    to: Annotated[Path, typer.Option(help="Folder to make, or an empty one.")],
    split: Annotated[
        list[str] | None, typer.Option(help="A split to export; may be repeated. All by default.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Look in this project only.")] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="The labels alone.")] = False,
    no_metadata: Annotated[
        bool, typer.Option("--no-metadata", help="Without the images' metadata.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a dataset version for another tool; the same version always gives the same files."""
    from cv_pipeline.catalog.tables import Catalog
    from cv_pipeline.datasets.exporting.exports import export_version
    from cv_pipeline.provenance.dataset_versions import open_version
    from cv_pipeline.storage import Blobs, Tombstones, open_store

    version = open_version(dataset, project=project)
    store = open_store(store_url())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=errors, disable=not errors.is_terminal
    ) as bar:
        task = bar.add_task("export", total=None)
        made = export_version(
            version,
            format=format,
            to=to,
            blobs=None if no_images else Blobs(store),
            catalog=None if no_metadata else Catalog(store, version.record.project),
            splits=cast("list[SplitName]", split or []),
            taken_out=Tombstones(store).image_ids(),
            progress=lambda done, total, what: bar.update(
                task, completed=done, total=total, description=what
            ),
        )
    if as_json:
        described = made.record.model_dump(mode="json", exclude={"files"})
        print_json({"folder": str(made.folder), "files": len(made.record.files), **described})
        return
    console.print(
        f"{made.folder}: {made.images:,} images, {made.labels:,} labels as {format},"
        f" of dataset version {version.digest[:12]}",
        markup=False,
        soft_wrap=True,
    )
    if made.lost:
        told = ", ".join(f"{field} ({count:,})" for field, count in made.lost.items())
        console.print(f"  {format} has no place for: {told}", markup=False, soft_wrap=True)
    if made.record.taken_out:
        gone = made.record.taken_out
        names = ", ".join(image_id[:16] for image_id in gone[:SHOWN])
        more = ", …" if len(gone) > SHOWN else ""
        console.print(f"  taken out, and so left out: {names}{more}", markup=False, soft_wrap=True)
    console.print(f"  verify a copy with: cvp verify --folder {made.folder}", markup=False)
