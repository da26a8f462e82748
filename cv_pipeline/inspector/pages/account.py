"""One's own account: its password, where it is signed in, and its tokens.

It takes a session: a token can change none of this, so that one which is lost cannot make others.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.front_door import CurrentFrontDoor, address_of
from cv_pipeline.inspector.access.passwords import LONGEST, SHORTEST
from cv_pipeline.inspector.access.roles import (
    ALLOWED,
    EVERY_PROJECT,
    IN_WORDS,
    SCOPES,
    Permission,
    Role,
)
from cv_pipeline.inspector.access.tokens import Token
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.problems import NotFound, RequestError
from cv_pipeline.inspector.routes import Routes
from cv_pipeline.inspector.workspace import CurrentWorkspace

routes = Routes("Your account")


class WrongPassword(RequestError):
    """The password that was given as the present one is not."""

    status = 403


class OwnSession(BaseModel):
    """Where somebody is signed in."""

    name: str
    here: bool
    created_at: datetime
    seen_at: datetime
    address: str
    browser: str


class OwnToken(BaseModel):
    """A token, without what must stay secret."""

    id: str
    name: str
    state: str
    scopes: list[Permission]
    projects: list[str]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class OwnAccount(BaseModel):
    """Somebody's own account."""

    name: str
    roles: dict[str, Role]
    has_password: bool
    second_factor: bool
    recovery_codes: int
    sessions: list[OwnSession]
    tokens: list[OwnToken]
    scopes: list[Permission]
    projects: list[str]
    shortest: int = SHORTEST

    @property
    def scopes_in_words(self) -> dict[Permission, str]:
        """What each scope lets a token do."""
        return IN_WORDS


class NewPassword(BaseModel):
    """The present password and the next."""

    model_config = ConfigDict(extra="forbid")

    current: str = Field(max_length=LONGEST)
    new: str = Field(max_length=LONGEST)


class NewToken(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=100)
    scopes: list[Permission] = Field(max_length=20)
    projects: list[str] = Field([EVERY_PROJECT], max_length=200)
    days: int = Field(90, ge=1, le=366)


class MadeToken(OwnToken):
    """A token that was made, with the secret that is shown this once."""

    token: str


class Ended(BaseModel):
    """How many sessions were ended."""

    sessions: int


@routes.page("/account", template="pages/account.html", permission=Permission.ACCOUNT)
def account(
    access: CurrentAccess, door: CurrentFrontDoor, workspace: CurrentWorkspace
) -> OwnAccount:
    """Your own account."""
    return OwnAccount(
        name=access.user,
        roles=dict(access.roles),
        has_password=door.has_password(access.user),
        second_factor=door.second_factors.on(access.user),
        recovery_codes=door.second_factors.codes_left(access.user),
        sessions=[
            OwnSession(
                name=s.name,
                here=s.name == access.credential,
                created_at=s.created_at,
                seen_at=s.seen_at,
                address=s.address,
                browser=browser_of(s.agent),
            )
            for s in door.sessions.of_user(access.user)
        ],
        tokens=[_token(t) for t in door.tokens.list(access.user)[:200]],
        scopes=[s for s in SCOPES if any(s in ALLOWED[role] for role in access.roles.values())],
        projects=[name for name in workspace.project_names() if access.role(name)],
    )


@routes.api("POST", "/account/password", permission=Permission.ACCOUNT)
def change_password(
    given: NewPassword,
    request: Request,
    response: Response,
    access: CurrentAccess,
    door: CurrentFrontDoor,
    audit: CurrentAudit,
) -> Ended:
    """Change your password: every session ends, and a new one begins here."""
    address = address_of(request)
    door.throttle.count(name=access.user, address=address)
    found = door.accounts.checked(access.user, given.current)
    if found is None:
        audit("account.password.failed", access.user)
        raise WrongPassword("Your present password is another.", do="Try again.")
    door.throttle.succeeded(name=access.user, address=address)
    door.accounts.set_password(access.user, given.new)
    ended = door.sessions.end_all(access.user)
    audit("account.password", access.user, sessions=ended)
    door.let_in(request, response, found)
    return Ended(sessions=ended)


@routes.api("DELETE", "/account/sessions", permission=Permission.ACCOUNT)
def sign_out_elsewhere(access: CurrentAccess, door: CurrentFrontDoor, audit: CurrentAudit) -> Ended:
    """End every session of yours but this one."""
    others = [s.name for s in door.sessions.of_user(access.user) if s.name != access.credential]
    ended = sum(door.sessions.end_named(access.user, name) for name in others)
    audit("account.signout", access.user, sessions=ended)
    return Ended(sessions=ended)


@routes.api("DELETE", "/account/sessions/{session}", permission=Permission.ACCOUNT)
def end_session(
    session: str, access: CurrentAccess, door: CurrentFrontDoor, audit: CurrentAudit
) -> Ended:
    """End one session of yours."""
    if not door.sessions.end_named(access.user, session):
        raise NotFound(f"You have no session {session!r}.", do="Load the page again.")
    audit("account.signout", session)
    return Ended(sessions=1)


@routes.api("POST", "/account/tokens", permission=Permission.ACCOUNT, status=201)
def make_token(
    given: NewToken, access: CurrentAccess, door: CurrentFrontDoor, audit: CurrentAudit
) -> MadeToken:
    """Make a token, which is shown this once."""
    secret, token = door.tokens.create(
        access.user,
        name=given.name,
        scopes=given.scopes,
        projects=given.projects,
        lasts=timedelta(days=given.days),
    )
    audit("token.create", token.id, name=token.name, scopes=token.scopes, projects=token.projects)
    return MadeToken(**_token(token).model_dump(), token=secret)


@routes.api("DELETE", "/account/tokens/{token}", permission=Permission.ACCOUNT)
def revoke_token(
    token: str, access: CurrentAccess, door: CurrentFrontDoor, audit: CurrentAudit
) -> OwnToken:
    """Revoke a token of yours."""
    revoked = door.tokens.revoke(token, user=access.user)
    audit("token.revoke", revoked.id, name=revoked.name)
    return _token(revoked)


def _token(token: Token) -> OwnToken:
    return OwnToken(
        id=token.id,
        name=token.name,
        state=token.state,
        scopes=list(token.scopes),
        projects=list(token.projects),
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
    )


def browser_of(agent: str) -> str:
    """A browser and its system in a few words, by what it says of itself."""
    browsers = {"Edg/": "Edge", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
    systems = {
        "Android": "Android",
        "iPhone": "iPhone",
        "iPad": "iPad",
        "Windows": "Windows",
        "Mac OS": "macOS",
        "Linux": "Linux",
    }
    browser = next((name for mark, name in browsers.items() if mark in agent), "")
    system = next((name for mark, name in systems.items() if mark in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or agent.partition(" ")[0][:40] or "An unknown program"
