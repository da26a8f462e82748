"""``cvp summary``: what a project has come to, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.project import find_project
from cv_pipeline.settings import dagster_home, projects_dir, store_url

if TYPE_CHECKING:
    from cv_pipeline.summary import Summary

COUNTS = (
    "files", "dagster/row_count", "objects", "images", "images_train", "images_val", "images_test",
    "annotators", "duplicate_files", "quarantined", "epochs", "seconds", "reused",
)  # fmt: skip


def summary(
    project: Annotated[str, typer.Argument(help="Name of the project.")], as_json: Json = False
) -> None:
    """Show what was ingested, what the checks found, the metric by slice, and where to look."""
    dagster_home()
    settings = find_project(project, projects_dir())
    from dagster import DagsterInstance

    from cv_pipeline.storage import open_store
    from cv_pipeline.summary import summarise

    with DagsterInstance.get() as instance:
        found = summarise(settings, instance=instance, store=open_store(store_url()))
    if as_json:
        print_json(found.to_json())
        return
    console.print(_stages(found))
    if found.verdicts:
        console.print(_checks(found))
    if found.slices:
        console.print(_slices(found))
    _next(found)


def _stages(found: Summary) -> Table:
    table = Table("asset", "digest", "what is in it", title=f"\n{found.project}", box=None)
    for name, event in found.stages.items():
        facts = [
            f"{key.removeprefix('dagster/row_count') or 'rows'} {_number(event.metadata[key])}"
            for key in COUNTS
            if key in event.metadata
        ]
        table.add_row(name, f"[yellow]{event.version[:12]}[/]", ", ".join(facts))
    return table


def _checks(found: Summary) -> Table:
    table = Table("check", "", "what it found", title="\nchecks on the candidate", box=None)
    for verdict in found.verdicts:
        outcome = "[green]passed[/]" if verdict.passed else "[yellow]warning[/]"
        table.add_row(
            verdict.check, "[red]FAILED[/]" if verdict.blocks else outcome, verdict.summary
        )
    return table


def _slices(found: Summary) -> Table:
    title = f"\n{found.metric} by slice"
    table = Table("slice", found.metric, "images", "objects", title=title, box=None)
    for row in found.slices:
        name = _slice_name(row) if row["slice_key"] else "all"
        value = "–" if row["value"] is None else f"{row['value']:.3f}"
        small = " [dim](small)[/]" if row["small"] else ""
        table.add_row(name + small, value, str(row["images"]), str(row["objects"]))
    return table


def _next(found: Summary) -> None:
    if found.worst:
        console.print("\n[bold]worst slices[/]")
        for row in found.worst:
            console.print(f"  {row['sentence']}", markup=False)
        console.print(f"  their images: cvp slices {found.project} --images", markup=False)
    console.print("\n[bold]where to look next[/]")
    console.print("  make ui                  the lineage, the checks and the plots, in a browser")
    for kind, asset in (("model", "trained_model"), ("dataset", "dataset_version")):
        if asset in found.stages:
            ref = f"{found.project}@{found.stages[asset].version[:12]}"
            console.print(f"  cvp trace {kind} {ref}", markup=False)
    if "eval_slices" in found.stages:
        version = found.stages["eval_slices"].version[:12]
        ref = f"{found.project}/{found.metric}@{version}"
        console.print(f"  cvp trace metric {ref}", markup=False)
        console.print(f"  cvp verdict {found.project}        does it meet the requirements?")
        console.print(f"  cvp report {found.project}         all of the evaluation on one page")


def _slice_name(row: dict[str, Any]) -> str:
    value = row["slice_value"]
    return f"{row['slice_key']} not set" if value is None else f"{row['slice_key']} = {value}"


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
