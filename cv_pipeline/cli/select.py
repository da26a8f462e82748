"""``cvp select``: the images that are worth labelling next, as a batch with a control arm."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from cv_pipeline.cli.app import Json, console, print_json


def select(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    name: Annotated[str, typer.Option(help="Name of the batch.")],
    algorithm: Annotated[
        list[str] | None,
        typer.Option(
            help="Sampling algorithm: random, uncertainty, diversity, rarity, disagreement,"
            " failures or a plug-in's. Several share the selection."
        ),
    ] = None,
    images: Annotated[int | None, typer.Option(help="How many images.")] = None,
    control: Annotated[
        float | None, typer.Option(help="Share that is drawn at random, above 0.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of what is left to chance.")] = None,
    among: Annotated[
        str | None, typer.Option(help="Which images to choose from, in the query language.")
    ] = None,
    failing: Annotated[
        str | None,
        typer.Option(help="Images that the model does badly on, as a query; for failures."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Digest of the model whose pre-labels are used.")
    ] = None,
    purpose: Annotated[
        Literal["label", "relabel"], typer.Option(help="What is to be done with them.")
    ] = "label",
    reason: Annotated[str, typer.Option(help="Why, in words.")] = "",
    divide: Annotated[
        bool, typer.Option("--divide", help="In batches by difficulty, as labeling.batches says.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Choose the images that are worth labelling next, and set them aside as a batch.

    What is not said is as labeling.sampling of the project says. A share is always drawn at random.
    """
    from cv_pipeline.catalog.datalake.datalake import Datalake
    from cv_pipeline.labeling.sampling.selection import select_batch

    made = select_batch(
        Datalake.open(project, origin="cli"),
        name,
        algorithms=algorithm or (),
        images=images,
        control=control,
        seed=seed,
        among=among,
        failing=failing,
        model=model,
        purpose=purpose,
        reason=reason,
        divided=divide,
    )
    if as_json:
        print_json(asdict(made))
        return
    told = "set aside" if made.new else "were set aside before"
    console.print(
        f"{made.images:,} of {made.pool:,} images {told} to {made.purpose}: {made.name}",
        markup=False,
    )
    for arm, count in made.arms.items():
        what = " (the control arm)" if arm == "random" else ""
        console.print(f"  {arm}{what}: {count:,}", markup=False)
    if divide:
        console.print(f"  in batches: {', '.join(made.batches)}", markup=False)
    if made.model:
        unseen = f"; {made.unseen:,} it has not looked at" if made.unseen else ""
        console.print(f"  by pre-labels of {made.model[:16]}{unseen}", markup=False)
