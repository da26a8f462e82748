"""All runs of a project: what each did, how it ended, who launched it, and what it came from."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel

from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.board.runs import RunLine, page_of_runs
from cv_pipeline.inspector.investigations.store import Investigations
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.run_page.investigation_link import InvestigationLink
from cv_pipeline.inspector.workspace import CurrentWorkspace

routes = Routes("Runs")

State = Literal["all", "unfinished", "succeeded", "failed", "stopped"]


class RunRow(BaseModel):
    """A run in the list, with the investigations that it was launched from."""

    run: RunLine
    href: str
    investigations: list[InvestigationLink]


class RunList(BaseModel):
    """Runs of a project, the newest first.

    Attributes:
        state: what they are limited to.
        runs: the runs of this page.
        older: the run after which older ones follow; null where none do.
    """

    state: State
    runs: list[RunRow]
    older: str | None


@routes.page("/p/{project}/runs", template="pages/runs.html", permission=Permission.VIEW)
def runs(
    project: str,
    workspace: CurrentWorkspace,
    state: Annotated[State, Query()] = "all",
    before: Annotated[str | None, Query(max_length=64, description="Only older runs.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RunList:
    """The runs of a project, whoever launched them, the newest first."""
    name = workspace.project(project).name
    found, older = page_of_runs(
        workspace.instance, name, state=state, before=before or None, limit=limit
    )
    linked = Investigations(workspace.database).of_runs(name, [run.run_id for run in found])
    return RunList(
        state=state,
        runs=[
            RunRow(
                run=run,
                href=f"/p/{name}/runs/{run.run_id}",
                investigations=[
                    InvestigationLink(id=i.id, title=i.title) for i in linked[run.run_id]
                ],
            )
            for run in found
        ],
        older=older,
    )
