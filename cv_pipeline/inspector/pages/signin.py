"""The way in and out: signing in, signing out, and the account that is made first."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.front_door import (
    CALLBACK,
    CurrentFrontDoor,
    FrontDoor,
    address_of,
)
from cv_pipeline.inspector.access.next_page import safe_next
from cv_pipeline.inspector.access.passwords import LONGEST, SHORTEST
from cv_pipeline.inspector.access.roles import EVERY_PROJECT, Permission, Role
from cv_pipeline.inspector.access.second_factor import FactorNeeded
from cv_pipeline.inspector.access.single_sign_on import NotLetIn
from cv_pipeline.inspector.access.throttle import TooManyTries
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.problems import RequestError
from cv_pipeline.inspector.routes import Routes

routes = Routes("Signing in")


class SignInRefused(RequestError):
    """The name and the password are not those of an account that can be used."""

    status = 401


class SetupRefused(RequestError):
    """The link does not make an account."""

    status = 403


class SignIn(BaseModel):
    """What the page to sign in shows.

    Attributes:
        user: name of the account that is signed in already; empty for none.
        next: page that follows.
        single_sign_on: what the button says that leads to the provider; empty without one.
        no_account: whether the first account is still to be made.
        why: why one must sign in; empty for who came by themselves.
    """

    user: str
    next: str
    single_sign_on: str
    no_account: bool
    why: str = ""


class SignOut(BaseModel):
    """Who is signed in."""

    user: str


class Setup(BaseModel):
    """What the page that makes the first account shows.

    Attributes:
        open: whether the link works.
        done: whether there is an account already.
        shortest: fewest signs of a password.
    """

    open: bool
    done: bool
    shortest: int = SHORTEST


class Credentials(BaseModel):
    """A name and its password; a code too, where the account has a second factor."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=63)
    password: str = Field(max_length=LONGEST)
    code: str = Field("", max_length=40)
    next: str = Field("/", max_length=4000)


class FirstAccount(BaseModel):
    """The account that is made first."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(max_length=100)
    name: str = Field(max_length=63)
    password: str = Field(max_length=LONGEST)


class SignedIn(BaseModel):
    """Who is signed in now, and which page follows."""

    user: str
    next: str


@routes.page("/signin", template="pages/signin.html", permission=Permission.PUBLIC)
def sign_in_page(access: CurrentAccess, door: CurrentFrontDoor, next: str = "/") -> SignIn:  # noqa: A002
    """Where one signs in."""
    return sign_in_view(door, user=access.user, next_page=next)


def sign_in_view(door: FrontDoor, *, next_page: str, user: str = "", why: str = "") -> SignIn:
    """What a page to sign in shows; see :class:`SignIn`."""
    single = door.settings.single_sign_on
    return SignIn(
        user=user,
        next=safe_next(next_page),
        single_sign_on=single.label if single else "",
        no_account=door.setup_path is not None,
        why=why,
    )


@routes.api("POST", "/signin", permission=Permission.PUBLIC)
def sign_in(
    given: Credentials,
    request: Request,
    response: Response,
    door: CurrentFrontDoor,
    audit: CurrentAudit,
) -> SignedIn:
    """Sign in: begins a session, whose cookie comes with the answer."""
    name, address = given.name.strip().lower(), address_of(request)
    try:
        door.throttle.count(name=name, address=address)
    except TooManyTries as error:
        if error.news:
            audit("signin.refused", door.known_name(name), why="too many tries")
        raise
    account = door.accounts.checked(name, given.password)
    if account is None:
        audit("signin.failed", door.known_name(name))
        raise SignInRefused(
            "The name or the password is wrong.", do="Try again, or ask an admin for a new one."
        )
    by = "password"
    if door.second_factors.on(account.name):
        if not door.second_factors.passes(account.name, given.code):
            if given.code.strip():
                audit("signin.failed", account.name, why="wrong code of the second factor")
            raise FactorNeeded(wrong=bool(given.code.strip()))
        by = "password and second factor"
    door.throttle.succeeded(name=name, address=address)
    door.let_in(request, response, account)
    audit.of(account.name)("signin", account.name, by=by)
    return SignedIn(user=account.name, next=safe_next(given.next))


@routes.raw("GET", "/signin/provider", permission=Permission.PUBLIC)
def to_provider(request: Request, door: CurrentFrontDoor, next: str = "/") -> Response:  # noqa: A002
    """Send a browser to the provider of single sign-on."""
    return door.leave_for_provider(request, next)


@routes.raw("GET", CALLBACK, permission=Permission.PUBLIC)
def from_provider(
    request: Request,
    door: CurrentFrontDoor,
    audit: CurrentAudit,
    code: str = "",
    state: str = "",
    error: str = "",
) -> Response:
    """Sign in who comes back from the provider."""
    door.throttle.count(address=address_of(request))
    try:
        if error or not code:
            raise NotLetIn(
                f"The provider did not sign you in: {error[:100] or 'it sent no code'}.",
                do="Try again.",
            )
        account, following = door.return_from_provider(request, code=code, state=state)
    except RequestError as problem:
        audit("signin.failed", "single sign-on", why=problem.what, by="single sign-on")
        raise
    response = RedirectResponse(following, status_code=303)
    door.let_in(request, response, account)
    audit.of(account.name)("signin", account.name, by="single sign-on", roles=dict(account.roles))
    return response


@routes.page("/signout", template="pages/signout.html", permission=Permission.PUBLIC)
def sign_out_page(access: CurrentAccess) -> SignOut:
    """Where one signs out."""
    return SignOut(user=access.user)


@routes.api("POST", "/signout", permission=Permission.ACCOUNT)
def sign_out(
    request: Request,
    response: Response,
    access: CurrentAccess,
    door: CurrentFrontDoor,
    audit: CurrentAudit,
) -> SignOut:
    """Sign out: the session is revoked."""
    audit("signout", access.user)
    door.let_out(request, response)
    return SignOut(user="")


@routes.page("/setup", template="pages/setup.html", permission=Permission.PUBLIC)
def setup_page(door: CurrentFrontDoor, key: str = "") -> Setup:
    """Where the first account is made."""
    return Setup(open=door.is_setup_key(key), done=door.setup_path is None)


@routes.api("POST", "/setup", permission=Permission.PUBLIC)
def set_up(
    given: FirstAccount,
    request: Request,
    response: Response,
    door: CurrentFrontDoor,
    audit: CurrentAudit,
) -> SignedIn:
    """Make the first account, an admin of every project, and sign in with it."""
    door.throttle.count(address=address_of(request))
    if not door.is_setup_key(given.key):
        audit("setup.refused", "setup")
        raise SetupRefused(
            "This link does not make an account.",
            do="Take the link that the inspector printed when it last started; or: cvp user add",
        )
    account = door.accounts.add(
        given.name.strip().lower(),
        password=given.password,
        roles={EVERY_PROJECT: Role.ADMIN},
        first=True,
    )
    audit.of(account.name)("user.add", account.name, roles={EVERY_PROJECT: "admin"}, by="setup")
    door.let_in(request, response, account)
    return SignedIn(user=account.name, next="/")
