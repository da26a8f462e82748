"""``cvp corrective``: a declared retraining, compared with its parent when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.settings import dagster_home

if TYPE_CHECKING:
    from cv_pipeline.provenance.corrective_runs import Corrective


def corrective(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    query: Annotated[
        str | None,
        typer.Option(help="Images that are added to the dataset and drawn more often."),
    ] = None,
    weight: Annotated[
        int | None,
        typer.Option(
            help="Times that each of them is drawn in an epoch: 3 by default; 1 only adds them."
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Class whose recall on those images counts; all classes by default."),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A parameter that differs: training.epochs=12."
        ),
    ] = None,
    parent: Annotated[
        str, typer.Option(metavar="MODEL", help="Digest of the model that it is to better.")
    ] = "latest",
    reason: Annotated[str, typer.Option(help="Why, in words.")] = "",
    wait: Annotated[
        bool, typer.Option(help="Run it here and now, or hand it to the daemon of cvp ui.")
    ] = True,
    dagster_ui: Annotated[
        str, typer.Option(help="With --no-wait: address of the Dagster webserver.")
    ] = "http://127.0.0.1:3000",
    as_json: Json = False,
) -> None:
    """Retrain with more of some images, or other parameters, and compare with the parent."""
    dagster_home()
    from cv_pipeline.correction import parse_changes
    from cv_pipeline.provenance.corrective_runs import corrective as run

    done = run(
        project,
        query,
        weight=weight,
        label=label,
        parameters=parse_changes(change or ()),
        parent=parent,
        reason=reason,
        wait=wait,
        dagster_ui=dagster_ui,
        quiet=as_json,
    )
    if as_json:
        print_json(done.to_json())
    else:
        _print(done)


def _print(done: Corrective) -> None:
    record = done.record
    console.print(f"corrective record {record.digest}, run {done.run_id}", markup=False)
    if record.selection is not None:
        chosen = record.selection
        told = f"{chosen.query}: {chosen.images} images when it was declared"
        if done.emphasised:
            told += f"; {done.emphasised} of the training images drawn {chosen.weight} times"
        console.print(told, markup=False, soft_wrap=True)
    for key, changed in record.changes.items():
        console.print(f"training.{key}: {changed.before} → {changed.after}", markup=False)
    if done.comparison is None:
        console.print(f"{done.status}; when it has ended: cvp checks {record.project}")
        return
    found = done.comparison
    console.print(
        f"\n[bold]before and after[/], on the {found['images']} images of {found['split']}:"
        f" model [yellow]{found['parent'][:16]}[/] and [yellow]{found['model'][:16]}[/]\n"
    )
    table = Table("", "before", "after", "", box=None)
    for metric in sorted(found["before"]):
        after = found["after"].get(metric)
        shown = "–" if after is None else f"{after:.4f}"
        table.add_row(metric, f"{found['before'][metric]:.4f}", shown, "")
    if found["selection"] is not None:
        name = f"recall of {record.label}" if record.label else "recall"
        _row(table, f"{name} on the selection", found["selection"])
    console.print(table)


def _row(table: Table, name: str, part: Mapping[str, Any]) -> None:
    before, after = (
        f"{v['value']:.4f} [dim]{v['low']:.2f} to {v['high']:.2f}[/]"
        for v in (part["before"], part["after"])
    )
    told = f"{part['objects']} objects on {part['images']} images, p = {part['p_value']:.2g}"
    table.add_row(name, before, after, told)
