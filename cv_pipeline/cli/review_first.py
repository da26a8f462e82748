"""``cvp review-first``: the labels that a second person should look at first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from cv_pipeline.cli.app import Json, console, print_json

if TYPE_CHECKING:
    import pyarrow as pa


def review_first(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    algorithm: Annotated[
        str, typer.Option(help="Review algorithm: annotator_risk, label_errors or a plug-in's.")
    ] = "annotator_risk",
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")] = 50,
    name: Annotated[
        str | None, typer.Option(help="Set the images of these aside to be labelled again.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is left to chance.")] = 0,
    as_json: Json = False,
) -> None:
    """List whose labels of which images should be reviewed first, or set them aside as a batch."""
    from cv_pipeline.actor import current_actor
    from cv_pipeline.catalog.datalake.datalake import Datalake
    from cv_pipeline.catalog.datalake.image_batches import set_aside
    from cv_pipeline.labeling.workload.review_order import review_order
    from cv_pipeline.project import find_project
    from cv_pipeline.settings import projects_dir

    lake = Datalake.open(project, origin="cli")
    found = review_order(
        lake.catalog,
        algorithm=algorithm,
        find_errors=lambda: _errors(project),
        gold=find_project(project, projects_dir()).labeling.hand_off.gold.query,
        seed=seed,
    )
    snapshot = lake.snapshot()
    ids, people = found.image_ids[:count], found.annotators[:count]
    paths = snapshot.images["path"]
    rows = [
        {"image_id": i, "path": paths[int(n)].as_py(), "annotator": who, "urgency": float(u)}
        for i, n, who, u in zip(
            ids.to_pylist(),
            snapshot.numbering.find(ids),
            people.to_pylist(),
            found.urgency,
            strict=False,
        )
    ]
    if name is not None:
        set_aside(
            lake.catalog,
            found.images(count),
            name=name,
            purpose="relabel",
            reason=f"to be reviewed first, by {algorithm}",
            query="labelled = true",
            actor=current_actor(),
        )
    if as_json:
        print_json({"algorithm": algorithm, "batch": name, "pieces": rows})
        return
    if not rows:
        console.print("No label is to be reviewed before any other.")
        return
    table = Table("image", Column("path", overflow="fold"), "annotator", "urgency", box=None)
    for row in rows:
        table.add_row(
            str(row["image_id"])[:12],
            escape(str(row["path"])),
            escape(str(row["annotator"])),
            f"{row['urgency']:.3f}",
        )
    console.print(table)
    if name is not None:
        console.print(f"Their images are set aside to be labelled again: {name}", markup=False)


def _errors(project: str) -> pa.Table:
    import pyarrow as pa

    from cv_pipeline.provenance.found_errors import find_errors
    from cv_pipeline.settings import dagster_home

    dagster_home()
    found = find_errors(project, label_errors=True, n=2**31)
    return pa.table(
        {
            "image_id": pa.array([r["image_id"] for r in found.rows], pa.string()),
            "score": pa.array([r["score"] for r in found.rows], pa.float64()),
        }
    )
