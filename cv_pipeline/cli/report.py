"""``cvp report``: all of an evaluation on one self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cv_pipeline.cli.app import Json, console, print_json, write_file
from cv_pipeline.cli.verdict import EvaluationRef
from cv_pipeline.project import find_project
from cv_pipeline.settings import dagster_home, projects_dir


def report(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    evaluation: EvaluationRef = "latest",
    out: Annotated[
        Path | None, typer.Option("--out", help="HTML file to write; PROJECT-EVALUATION.html.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the report of an evaluation: one HTML page that needs nothing beside itself."""
    dagster_home()
    settings = find_project(project, projects_dir())
    from dagster import DagsterInstance

    from cv_pipeline.provenance import EventLog
    from cv_pipeline.provenance.evaluated import find_evaluated
    from cv_pipeline.provenance.reports import analysis_of, report_page

    with DagsterInstance.get() as instance:
        log = EventLog(instance)
        evaluated = find_evaluated(log, project=project, ref=evaluation)
        html, images = report_page(
            project=settings, evaluated=evaluated, analysis=analysis_of(evaluated, log), log=log
        )
    path = out or Path(f"{project}-{evaluated.event.version[:12]}.html")
    write_file(path, html.encode())
    if as_json:
        print_json(
            {
                "out": str(path),
                "evaluation": evaluated.event.version,
                "bytes": path.stat().st_size,
                "images": len(images),
            }
        )
        return
    console.print(
        f"{path}: {path.stat().st_size / 1e6:.1f} MB with {len(images)} pictures; it holds pixels,"
        " so a take-out does not reach copies of it.",
        markup=False,
        soft_wrap=True,
    )
