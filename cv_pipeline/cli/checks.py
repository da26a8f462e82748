"""``cvp checks``: what the checks found on a dataset candidate, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.project import find_project
from cv_pipeline.settings import cv_home, dagster_home, projects_dir, store_url

if TYPE_CHECKING:
    from cv_pipeline.provenance import CheckResult

SHOWN = 50
"""Rows that are shown as text; all are in the JSON."""


def checks(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    check: Annotated[
        str | None, typer.Argument(help="One check, to see its rows; all by default.")
    ] = None,
    candidate: Annotated[
        str, typer.Option(help="The dataset candidate: a digest or prefix, or latest.")
    ] = "latest",
    as_json: Json = False,
) -> None:
    """Show the verdicts of the checks on a dataset candidate, or all that one of them found."""
    dagster_home()
    find_project(project, projects_dir())
    from dagster import DagsterInstance

    from cv_pipeline.datasets.checks import CHECKS
    from cv_pipeline.errors import ProvenanceError, nearest
    from cv_pipeline.provenance import EventLog, find_event, results_on

    if check is not None and check not in CHECKS:
        raise ProvenanceError(f"There is no check {check!r}.", do=nearest(check, CHECKS))
    with DagsterInstance.get() as instance:
        made = find_event(
            EventLog(instance), asset="dataset_candidate", ref=candidate, project=project
        )
        results = results_on(instance, made, [check] if check else list(CHECKS))
    if check is None:
        _show_all(made.version, results, as_json=as_json)
    else:
        _show_one(project, made.version, results[0], as_json=as_json)


def _show_all(candidate: str, results: Sequence[CheckResult], *, as_json: bool) -> None:
    if as_json:
        print_json({"candidate": candidate, "checks": [_json(r) for r in results]})
        return
    table = Table("check", "", "rows", "what it found", title=f"\n{candidate[:16]}", box=None)
    for result in results:
        table.add_row(result.verdict.check, _outcome(result), f"{result.rows:,}", _text(result))
    console.print(table)
    console.print("\n  cvp checks PROJECT CHECK   its rows", style="dim")


def _show_one(project: str, candidate: str, result: CheckResult, *, as_json: bool) -> None:
    from cv_pipeline.datasets.checks.published import MARKER, read_finding
    from cv_pipeline.errors import ProvenanceError
    from cv_pipeline.storage import fetch, open_store

    name = result.verdict.check
    if result.folder is None:
        raise ProvenanceError(
            f"There are no rows of {name} on candidate {candidate[:16]}: {result.verdict.summary}.",
            do=f"Run: cvp run {project} --select dataset_candidate",
        )
    key = f"projects/{project}/checks/{result.folder}"
    folder = fetch(open_store(store_url()), key, marker=MARKER, cache=cv_home() / "cache")
    record, rows = read_finding(folder)
    if as_json:
        found = {"candidate": candidate, **_json(result), "metrics": record.metrics}
        print_json({**found, "found": rows.to_pylist()})
        return
    console.print(f"{name} {_outcome(result)}  {_text(result)}\n", markup=True)
    table = Table(*rows.column_names, box=None)
    for row in rows.slice(0, SHOWN).to_pylist():
        table.add_row(*[_cell(value) for value in row.values()])
    console.print(table)
    if len(rows) > SHOWN:
        console.print(f"\n  {len(rows) - SHOWN:,} more rows in {folder / 'rows.parquet'}")


def _json(result: CheckResult) -> dict[str, Any]:
    verdict = result.verdict
    return {
        "check": verdict.check,
        "passed": verdict.passed,
        "severity": verdict.severity,
        "blocks": verdict.blocks,
        "summary": verdict.summary,
        "rows": result.rows,
        "at": result.at.isoformat() if result.at else None,
    }


def _outcome(result: CheckResult) -> str:
    if result.verdict.passed:
        return "[green]passed[/]"
    return "[red]FAILED[/]" if result.verdict.blocks else "[yellow]warning[/]"


def _text(result: CheckResult) -> str:
    from rich.markup import escape

    return escape(result.verdict.summary)


def _cell(value: object) -> str:
    from rich.markup import escape

    if isinstance(value, float):
        return f"{value:.4g}"
    text = "" if value is None else str(value)
    is_id = len(text) == 64 and all(c in "0123456789abcdef" for c in text)
    return escape(text[:12] if is_id else text)
