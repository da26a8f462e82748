"""``cvp prelabels``: what models suggest to annotators, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json

if TYPE_CHECKING:
    import pyarrow as pa

    from cv_pipeline.catalog.tables import Catalog


def prelabels(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    model: Annotated[
        str | None, typer.Option(help="Digest of the model; by default that of the newest.")
    ] = None,
    count: Annotated[
        int, typer.Option("-n", "--count", help="How many of the least sure images.")
    ] = 20,
    acceptance: Annotated[
        bool,
        typer.Option(
            "--acceptance", help="What annotators accepted, corrected and deleted, instead."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """List what a model suggests to annotators: where it is unsure, and the least sure images.

    With --acceptance, what became of it.
    """
    from cv_pipeline.catalog.datalake.datalake import Datalake

    lake = Datalake.open(project, origin="cli")
    if acceptance:
        _acceptance(lake.catalog, as_json=as_json)
        return
    found = _found(lake, model)
    if as_json:
        print_json({**found, "images": found["images"][:count]})
        return
    if not found["model"]:
        console.print(
            f"No pre-label was made yet. Run: cvp run {project} --select prelabels", markup=False
        )
        return
    console.print(
        f"{found['objects']:,} suggestions on {found['count']:,} images by {found['model'][:16]};"
        f" mean uncertainty {found['mean']:.3f}",
        markup=False,
    )
    _print(["class", "suggested", "to correct", "of each"], found["classes"])
    _print(["slice", "images", "to correct", "of each"], found["slices"])
    _print(["image", "path", "uncertainty"], found["images"][:count])


def _found(lake: Any, model: str | None) -> dict[str, Any]:
    from cv_pipeline.labeling.prelabels.doubts import doubts
    from cv_pipeline.labeling.prelabels.prelabelling import known_model
    from cv_pipeline.project import find_project
    from cv_pipeline.settings import projects_dir

    chosen = known_model(lake.catalog, model)
    if chosen is None:
        return {"model": None, "images": [], "classes": [], "slices": [], "objects": 0, "count": 0}
    keys = find_project(lake.project, projects_dir()).evaluation.slices
    found = doubts(lake.catalog, model=chosen, keys=keys)
    snapshot = lake.snapshot()
    images = found.images
    numbers = snapshot.numbering.find(images["image_id"])
    paths = snapshot.images["path"]
    return {
        "model": chosen,
        "count": len(images),
        "objects": sum(found.classes["suggested"].to_pylist()),
        "mean": found.mean,
        "classes": found.classes.to_pylist(),
        "slices": found.slices.to_pylist(),
        "histogram": found.histogram.drop_columns(["bar"]).to_pylist(),
        "images": [
            {"image_id": image, "path": paths[int(n)].as_py(), "uncertainty": u}
            for image, n, u in zip(
                images["image_id"].to_pylist(),
                numbers,
                images["uncertainty"].to_pylist(),
                strict=True,
            )
        ],
    }


def _acceptance(catalog: Catalog, *, as_json: bool) -> None:
    from cv_pipeline.labeling.prelabels.acceptance import acceptance, acceptance_rates

    rows: pa.Table = acceptance_rates(acceptance(catalog))
    if as_json:
        print_json(rows.to_pylist())
        return
    if not len(rows):
        console.print("No image that was pushed with pre-labels came back yet.")
        return
    _print(
        ["model", "class", "score", "suggested", "accepted", "corrected", "deleted", "added"],
        [{**row, "model": row["model"][:12]} for row in rows.to_pylist()],
    )


def _print(columns: list[str], rows: list[dict[str, Any]]) -> None:
    from rich.markup import escape

    if not rows:
        return
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(
            *(f"{v:.3f}" if isinstance(v, float) else escape(str(v)) for v in row.values())
        )
    console.print(table)
