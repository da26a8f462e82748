"""The first page: the projects that somebody has a role in, and whether the inspector lives."""

from __future__ import annotations

from pydantic import BaseModel

from cv_pipeline.errors import ProjectError
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace

routes = Routes("Projects")


class ProjectCard(BaseModel):
    """A project on the first page."""

    name: str
    role: str
    task: str = ""
    problem: str = ""
    problem_with_it: str = ""


class Home(BaseModel):
    """The projects that somebody has a role in."""

    projects: list[ProjectCard]


class Health(BaseModel):
    """Whether the inspector lives."""

    status: str


@routes.page("/", template="pages/home.html", permission=Permission.SIGNED_IN)
def home(workspace: CurrentWorkspace, access: CurrentAccess) -> Home:
    """The projects that you have a role in."""
    cards = []
    for name in workspace.project_names():
        role = access.role(name)
        if role is None:
            continue
        try:
            project = workspace.project(name)
        except ProjectError as error:
            cards.append(ProjectCard(name=name, role=role, problem_with_it=str(error)))
            continue
        cards.append(
            ProjectCard(name=name, role=role, task=project.task, problem=project.charter.problem)
        )
    return Home(projects=cards)


@routes.api("GET", "/health", permission=Permission.PUBLIC)
def health() -> Health:
    """Whether the inspector lives."""
    return Health(status="ok")
