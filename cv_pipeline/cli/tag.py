"""``cvp tag``: put tags on the images that a query selects, or take them off."""

from __future__ import annotations

from typing import Annotated

import typer

from cv_pipeline.cli.app import Json, console, print_json


def tag(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    query: Annotated[str, typer.Argument(help="Which images, in the query language.")],
    tags: Annotated[list[str], typer.Argument(help="The tags.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the tags off.")] = False,
    as_json: Json = False,
) -> None:
    """Put tags on the images that a query selects; only what changes is written."""
    from cv_pipeline.catalog.datalake.datalake import Datalake

    lake = Datalake.open(project, origin="cli")
    found = lake.query(query)
    changed = lake.tag(found, *tags, remove=remove)
    if as_json:
        print_json(
            {
                "query_id": found.query_id,
                "images": found.count,
                "tags": sorted(set(tags)),
                "removed": remove,
                "changed": changed,
            }
        )
        return
    done = "taken off" if remove else "put on"
    named = ", ".join(sorted(set(tags)))
    told = f"{found.count:,} images: {changed:,} tags {done} ({named}); the others were so already."
    console.print(told if found.count else "No image.", markup=False, soft_wrap=True)
