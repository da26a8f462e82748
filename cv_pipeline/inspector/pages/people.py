"""Accounts and their roles, for admins."""

from __future__ import annotations

from datetime import datetime

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.accounts import Account
from cv_pipeline.inspector.access.front_door import CurrentFrontDoor
from cv_pipeline.inspector.access.passwords import LONGEST, SHORTEST
from cv_pipeline.inspector.access.roles import ALLOWED, EVERY_PROJECT, Permission, Role
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.problems import NotFound
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace

routes = Routes("People")

EVERYWHERE = Path(description="name of a project, or * for every one")


class Person(BaseModel):
    """An account as admins see it.

    Attributes:
        name: what it is called.
        roles: project, or ``*``, to the role there.
        disabled: whether it can no longer be used.
        has_password: whether it can sign in here.
        single_sign_on: whether it signs in at the provider.
        created_at: since when it is.
        signed_in_at: when somebody last signed in with it.
        sessions: how many sessions are live.
        tokens: how many tokens are good.
    """

    name: str
    roles: dict[str, Role]
    disabled: bool
    has_password: bool
    single_sign_on: bool
    created_at: datetime | None
    signed_in_at: datetime | None
    sessions: int
    tokens: int


class RoleShown(BaseModel):
    """What a role may do."""

    name: Role
    permissions: list[Permission]


class People(BaseModel):
    """The accounts, what roles there are and where they can be given."""

    people: list[Person]
    roles: list[RoleShown]
    projects: list[str]
    shortest: int = SHORTEST


class Member(BaseModel):
    """Somebody with a role in a project.

    Attributes:
        name: of the account.
        role: the one that was given in this project; null where it comes from ``everywhere``.
        everywhere: the role in every project, which only an admin of all can change.
        disabled: whether the account can no longer be used.
    """

    name: str
    role: Role | None
    everywhere: Role | None
    disabled: bool


class ProjectPeople(BaseModel):
    """Who has a role in a project, and which roles there are."""

    people: list[Member]
    roles: list[RoleShown]


class NewPerson(BaseModel):
    """An account to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=63)
    password: str = Field(max_length=LONGEST)
    roles: dict[str, Role] = Field(default_factory=dict, max_length=200)


class GivenRole(BaseModel):
    """A role that is given; null takes it away."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None


class GivenPassword(BaseModel):
    """A password that is given."""

    model_config = ConfigDict(extra="forbid")

    password: str = Field(max_length=LONGEST)


class Disabled(BaseModel):
    """Whether an account is disabled."""

    model_config = ConfigDict(extra="forbid")

    disabled: bool


@routes.page("/people", template="pages/people.html", permission=Permission.ADMINISTER)
def people(workspace: CurrentWorkspace, door: CurrentFrontDoor) -> People:
    """Every account, with its roles."""
    sessions, tokens = door.sessions.counts(), door.tokens.counts()
    return People(
        people=[
            _person(a, sessions.get(a.name, 0), tokens.get(a.name, 0)) for a in door.accounts.list()
        ],
        roles=[RoleShown(name=role, permissions=sorted(ALLOWED[role])) for role in Role],
        projects=workspace.project_names(),
    )


@routes.page(
    "/p/{project}/people", template="pages/project_people.html", permission=Permission.ADMINISTER
)
def project_people(
    project: str, workspace: CurrentWorkspace, door: CurrentFrontDoor
) -> ProjectPeople:
    """Who has a role in a project, for those who administer it; other accounts are not told."""
    name = workspace.project(project).name
    found = []
    for account in door.accounts.list():
        own, everywhere = account.roles.get(name), account.roles.get(EVERY_PROJECT)
        if own is not None or everywhere is not None:
            found.append(
                Member(
                    name=account.name, role=own, everywhere=everywhere, disabled=account.disabled
                )
            )
    return ProjectPeople(
        people=found,
        roles=[RoleShown(name=role, permissions=sorted(ALLOWED[role])) for role in Role],
    )


@routes.api("POST", "/people", permission=Permission.ADMINISTER, status=201)
def add_person(given: NewPerson, door: CurrentFrontDoor, audit: CurrentAudit) -> Person:
    """Make an account."""
    account = door.accounts.add(
        given.name.strip().lower(), password=given.password, roles=given.roles
    )
    audit("user.add", account.name, roles=dict(account.roles))
    return _person(account)


@routes.api("PUT", "/people/{name}/roles/{project}", permission=Permission.ADMINISTER)
def give_role(
    name: str,
    given: GivenRole,
    door: CurrentFrontDoor,
    access: CurrentAccess,
    audit: CurrentAudit,
    project: str = EVERYWHERE,
) -> Person:
    """Give an account a role in a project, or in every one with ``*``; null takes it away.

    An admin of one project gives roles there.
    """
    try:
        before = door.accounts.get(name).roles.get(project)
    except NotFound as error:
        if access.may(Permission.ADMINISTER):
            raise
        raise NotFound(  # an admin of one project is not told which accounts there are
            f"There is no account {name[:63]!r}.", do="Ask whoever it is for its exact name."
        ) from error
    door.accounts.give_role(name, project, given.role)
    audit(
        "user.role",
        name,
        project=None if project == EVERY_PROJECT else project,
        where=project,
        role=given.role,
        before=before,
    )
    found = _person(door.accounts.get(name))
    if access.may(Permission.ADMINISTER):
        return found
    # an admin of one project is told of no others
    of_project = {where: role for where, role in found.roles.items() if where == project}
    return found.model_copy(update={"roles": of_project, "signed_in_at": None})


@routes.api("PUT", "/people/{name}/password", permission=Permission.ADMINISTER)
def give_password(
    name: str, given: GivenPassword, door: CurrentFrontDoor, audit: CurrentAudit
) -> Person:
    """Give an account another password; its sessions and tokens are revoked."""
    door.accounts.set_password(name, given.password)
    ended = door.revoke_all(name)
    audit("user.password", name, revoked=ended)
    return _person(door.accounts.get(name))


@routes.api("PUT", "/people/{name}/disabled", permission=Permission.ADMINISTER)
def disable(name: str, given: Disabled, door: CurrentFrontDoor, audit: CurrentAudit) -> Person:
    """Disable an account, whose sessions and tokens are revoked, or let it be used again."""
    door.accounts.set_disabled(name, disabled=given.disabled)
    ended = door.revoke_all(name) if given.disabled else {}
    audit("user.disable" if given.disabled else "user.enable", name, revoked=ended)
    return _person(door.accounts.get(name))


@routes.api("DELETE", "/people/{name}/sessions", permission=Permission.ADMINISTER)
def end_sessions(name: str, door: CurrentFrontDoor, audit: CurrentAudit) -> Person:
    """Sign an account out everywhere; its tokens stay."""
    account = door.accounts.get(name)
    ended = door.sessions.end_all(name)
    audit("user.signout", name, sessions=ended)
    return _person(account)


def _person(account: Account, sessions: int = 0, tokens: int = 0) -> Person:
    return Person(
        name=account.name,
        roles=dict(account.roles),
        disabled=account.disabled,
        has_password=account.has_password,
        single_sign_on=bool(account.subject),
        created_at=account.created_at,
        signed_in_at=account.signed_in_at,
        sessions=sessions,
        tokens=tokens,
    )
