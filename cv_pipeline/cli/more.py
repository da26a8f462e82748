"""``cvp more``: images that are like those of a selection."""

from __future__ import annotations

from typing import Annotated

import typer

from cv_pipeline.cli.app import Json, console, print_json


def more(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    query: Annotated[str, typer.Argument(help="The examples, in the query language.")],
    count: Annotated[int, typer.Option("-n", "--count", help="How many images.")] = 50,
    among: Annotated[
        str | None, typer.Option(help="Conditions on the images to choose from, likewise.")
    ] = None,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Choose from images without labels only.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find images outside a selection that look like it, without copies of each other."""
    from cv_pipeline.catalog.datalake.datalake import Datalake

    lake = Datalake.open(project, origin="cli")
    found = lake.more_like(query, n=count, among=among, unlabelled=unlabelled)
    ids, nearest = found.image_ids.to_pylist(), found.nearest.to_pylist()
    paths = {i: lake.image(i).path for i in {*ids, *nearest}}
    rows = [
        {"image_id": i, "path": paths[i], "similarity": s, "like": e, "like_path": paths[e]}
        for i, s, e in zip(ids, found.similarity.tolist(), nearest, strict=True)
    ]
    if as_json:
        print_json({"examples": found.examples, "images": rows})
        return
    for row in rows:
        console.print(
            f"{row['image_id'][:16]}  {row['similarity']:.3f}  {row['path']}"
            f"  like {row['like_path']}",
            markup=False,
            soft_wrap=True,
        )
    if not rows:
        console.print("No other image.")
