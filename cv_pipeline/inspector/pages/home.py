"""The first page: the projects that somebody has a role in, and whether the inspector lives."""

from __future__ import annotations

from pydantic import BaseModel

from cv_pipeline.errors import ProjectError
from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.board.cards import ProjectState, cards_of
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace

routes = Routes("Projects")

_BROKEN = "Its project.yaml has a mistake. Somebody who administers it is told which."


class ProjectCard(BaseModel):
    """A project on the first page.

    Attributes:
        problem_with_it: why it cannot be shown; what its file says is told to its admins only.
        state: how it stands; null while that is gathered, and for who may not view it.
    """

    name: str
    role: str
    task: str = ""
    problem: str = ""
    problem_with_it: str = ""
    state: ProjectState | None = None


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
    seen = [n for n in workspace.project_names() if access.may(Permission.VIEW, n)]
    states = cards_of(workspace).of(seen)
    for name in workspace.project_names():
        role = access.role(name)
        if role is None:
            continue
        try:
            project = workspace.project(name)
        except ProjectError as error:
            told = str(error) if access.may(Permission.ADMINISTER, name) else _BROKEN
            cards.append(ProjectCard(name=name, role=role, problem_with_it=told))
            continue
        cards.append(
            ProjectCard(
                name=name,
                role=role,
                task=project.task,
                problem=project.charter.problem,
                state=states.get(name),
            )
        )
    return Home(projects=cards)


@routes.api("GET", "/health", permission=Permission.PUBLIC)
def health() -> Health:
    """Whether the inspector lives."""
    return Health(status="ok")
