"""``cvp activation-map``: where in an image a model looks for a class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cv_pipeline.cli.app import Json, console, print_json, write_file
from cv_pipeline.errors import EvaluationError
from cv_pipeline.settings import dagster_home


def activation_map(
    model: Annotated[str, typer.Argument(help="project@version, a digest or a prefix.")],
    image: Annotated[str, typer.Argument(help="SHA-256, a prefix of 8 or more, or a path.")],
    out: Annotated[Path, typer.Option("--out", help="PNG to write.")],
    label: Annotated[
        str | None, typer.Option(help="Class; the one that the model is surest of.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Render a class-activation map over an image, with the share that lies on the objects."""
    dagster_home()
    from cv_pipeline.provenance.explained import activation_map as explain

    found = explain(model, image, label=label)
    if found.png is None:
        raise EvaluationError(
            f"The model finds no {found.label} on {found.path}, so there is no map of it.",
            do="Name another class with --label, or leave it out.",
        )
    write_file(out, found.png)
    if as_json:
        print_json({**found.to_json(), "out": str(out)})
        return
    inside = ""
    if found.share is not None and found.area is not None:
        inside = (
            f"; {found.share:.0%} of the activation lies on its labelled objects, which cover"
            f" {found.area:.0%} of the image"
        )
    console.print(
        f"{out}: {found.label} ({found.score:.2f}) on {found.path}{inside}.",
        markup=False,
        soft_wrap=True,
    )
