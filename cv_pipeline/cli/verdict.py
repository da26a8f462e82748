"""``cvp verdict``: whether a model meets the project's requirements on unseen images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cv_pipeline.cli.app import Json, console, print_json
from cv_pipeline.project import find_project
from cv_pipeline.settings import dagster_home, projects_dir

if TYPE_CHECKING:
    from cv_pipeline.evaluation.verdict.verdict import Verdict

EvaluationRef = Annotated[
    str, typer.Option("--evaluation", help="Digest or prefix of the evaluation, or latest.")
]


def verdict(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    evaluation: EvaluationRef = "latest",
    as_json: Json = False,
) -> None:
    """Hold the requirements of project.yaml against an evaluation; exit status 1 if it fails."""
    dagster_home()
    settings = find_project(project, projects_dir())
    from dagster import DagsterInstance

    from cv_pipeline.evaluation.verdict.verdict import judge
    from cv_pipeline.provenance import EventLog
    from cv_pipeline.provenance.evaluated import find_evaluated

    with DagsterInstance.get() as instance:
        evaluated = find_evaluated(EventLog(instance), project=project, ref=evaluation)
    found = judge(settings.requirements, evaluated.evaluation, evaluated.costs())
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    if not found.passed:
        raise typer.Exit(1)


def _show(found: Verdict) -> None:
    table = Table("requirement", "", "what was found", box=None)
    for one in found.requirements:
        outcome = "[green]met[/]" if one.passed else "[red]NOT MET[/]"
        table.add_row(escape(one.requirement), outcome, escape(one.why))
    if found.requirements:
        console.print(table)
    console.print(
        f"model [yellow]{found.model[:12]}[/], evaluation [yellow]{found.evaluation[:12]}[/]:"
        f" {escape(found.summary)}"
    )
