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
    as_json: Json = False,
) -> None:
    """Generate a demo world under CV_HOME/samples, unless it is there already."""
    from cv_pipeline.samples import generate

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
