"""``cvp sample``: generate a demo world."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cv_pipeline.cli.app import Json, console, errors, print_json
from cv_pipeline.settings import cv_home


def sample(
    name: Annotated[str, typer.Argument(help="The demo world: fruit.")] = "fruit",
    seed: Annotated[int, typer.Option(help="Seed of the world.")] = 0,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="BATCH",
            help="Have a batch that was set aside labelled, as the demo world's annotators would.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Generate a demo world under CV_HOME/samples, unless it is there already."""
    from cv_pipeline.samples import generate

    if label is not None:
        _label(name, label, seed, as_json=as_json)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=errors) as bar:
        task = bar.add_task("demo world")
        folder = cv_home() / "samples" / name
        world = generate(
            name,
            folder,
            seed=seed,
            progress=lambda done, total, what: bar.update(
                task, completed=done, total=total, description=what
            ),
        )
    if as_json:
        print_json({"folder": str(folder), "images": world.images})
    else:
        console.print(f"{name}: {world.images} image files in {folder}", markup=False)


def _label(name: str, batch: str, seed: int, *, as_json: bool) -> None:
    from cv_pipeline.catalog.datalake.datalake import Datalake
    from cv_pipeline.catalog.datalake.image_batches import batch_images
    from cv_pipeline.samples import label_more

    lake = Datalake.open(name, origin="cli")
    paths = [lake.image(i).path for i in batch_images(lake.catalog, batch).to_pylist()]
    labelled = label_more(name, cv_home() / "samples" / name, paths, seed=seed, batch=batch)
    if as_json:
        print_json({"batch": batch, "labelled": labelled, "of": len(paths)})
        return
    console.print(f"{labelled} of {len(paths)} images were labelled: {batch}", markup=False)
