"""``cvp prelabels``: what models suggest to annotators, and what became of it."""

from __future__ import annotations

import json
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
        str | None,
        typer.Option(
            help="Digest of the model, a prefix of it, champion, or latest for the newest trained"
            " one; by default the one that pre-labelled last, and with --make the one that"
            " labeling.prelabels.model names."
        ),
    ] = None,
    make: Annotated[
        bool,
        typer.Option("--make", help="Have the model pre-label first: the asset prelabels."),
    ] = False,
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

    With --make it is asked first, which needs no champion where --model names one. With
    --acceptance, what became of it.
    """
    from cv_pipeline.catalog.datalake.datalake import Datalake

    lake = Datalake.open(project, origin="cli")
    if acceptance:
        _acceptance(lake.catalog, as_json=as_json)
        return
    chosen = _asked(project, model, make=make)
    if make:
        _make(project, chosen, as_json=as_json)
    found = _found(lake, chosen)
    if as_json:
        why = None if found["model"] else why_no_prelabels(project)
        print_json({**found, "images": found["images"][:count], "why": why})
        return
    if not found["model"]:
        console.print(why_no_prelabels(project), markup=False, soft_wrap=True)
        return
    console.print(
        f"{found['objects']:,} suggestions on {found['count']:,} images by {found['model'][:16]};"
        f" mean uncertainty {found['mean']:.3f}",
        markup=False,
    )
    _print(["class", "suggested", "to correct", "of each"], found["classes"])
    _print(["slice", "images", "to correct", "of each"], found["slices"])
    _print(["image", "path", "uncertainty"], found["images"][:count])


def why_no_prelabels(project: str) -> str:
    """Why a project has no pre-labels, and what to do about it."""
    from cv_pipeline.errors import SettingsError
    from cv_pipeline.labeling.prelabels.asked_model import why_none
    from cv_pipeline.project import find_project
    from cv_pipeline.settings import dagster_home, mlflow_tracking_uri, projects_dir

    settings, uri = find_project(project, projects_dir()), mlflow_tracking_uri()
    try:
        dagster_home()
    except SettingsError:
        return why_none(None, settings, tracking_uri=uri)
    from dagster import DagsterInstance

    from cv_pipeline.provenance import EventLog

    with DagsterInstance.get() as instance:
        return why_none(EventLog(instance), settings, tracking_uri=uri)


def _asked(project: str, model: str | None, *, make: bool) -> str | None:
    """The digest of the trained model that is meant; what is no word for one is left as it is."""
    from cv_pipeline.labeling.prelabels.asked_model import CHAMPION, LATEST, asked_model
    from cv_pipeline.plugins.label.interface import labeller
    from cv_pipeline.project import find_project
    from cv_pipeline.settings import dagster_home, mlflow_tracking_uri, projects_dir

    settings = find_project(project, projects_dir())
    asks = "found" in labeller(settings.labeling.prelabels.algorithm).needs
    if make and model is None and not asks:
        return None
    if not make and model not in (CHAMPION, LATEST):
        return model
    dagster_home()
    from dagster import DagsterInstance

    from cv_pipeline.provenance import EventLog

    with DagsterInstance.get() as instance:
        event = asked_model(
            EventLog(instance), settings, tracking_uri=mlflow_tracking_uri(), named=model
        )
    return event.version


def _make(project: str, model: str | None, *, as_json: bool) -> None:
    """Materialize the asset; with --json, what it prints goes to standard error."""
    from cv_pipeline.cli.run import materialize, require_success

    told = {"ops": {"prelabels": {"config": {"model": model}}}} if model else None
    config = json.dumps(told) if told else None
    require_success(project, materialize(project, "prelabels", config_json=config, quiet=as_json))


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
