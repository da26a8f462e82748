"""The second factor of one's own account, and that of somebody who lost theirs."""

from __future__ import annotations

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from cv_pipeline.inspector.access.access import CurrentAccess
from cv_pipeline.inspector.access.front_door import CurrentFrontDoor, FrontDoor, address_of
from cv_pipeline.inspector.access.passwords import LONGEST
from cv_pipeline.inspector.access.roles import Permission
from cv_pipeline.inspector.access.second_factor import FactorNeeded
from cv_pipeline.inspector.audit import CurrentAudit
from cv_pipeline.inspector.pages.account import WrongPassword
from cv_pipeline.inspector.routes import Routes

routes = Routes("Account")


class FactorRequest(BaseModel):
    """The password, without which no second factor is begun or taken away."""

    model_config = ConfigDict(extra="forbid")

    password: str = Field(max_length=LONGEST)
    code: str = Field("", max_length=40)


class FactorBegun(BaseModel):
    """What an authenticator app is to know; shown this once."""

    secret: str
    address: str


class FirstCode(BaseModel):
    """A code that shows that the app knows the secret."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=40)


class RecoveryCodes(BaseModel):
    """Codes that stand in for a lost device, each once; shown this once."""

    codes: list[str]


class FactorState(BaseModel):
    """Whether an account has a second factor."""

    name: str
    on: bool


@routes.api("POST", "/account/second-factor", permission=Permission.ACCOUNT, status=201)
def begin_second_factor(
    given: FactorRequest, request: Request, access: CurrentAccess, door: CurrentFrontDoor
) -> FactorBegun:
    """Begin with a second factor; nothing asks for it until a first code confirms it."""
    _require_password(door, request, access.user, given.password)
    begun = door.second_factors.begin(access.user)
    door.throttle.succeeded(name=access.user, address=address_of(request))
    return FactorBegun(secret=begun.secret, address=begun.address)


@routes.api("PUT", "/account/second-factor", permission=Permission.ACCOUNT)
def confirm_second_factor(
    given: FirstCode,
    request: Request,
    access: CurrentAccess,
    door: CurrentFrontDoor,
    audit: CurrentAudit,
) -> RecoveryCodes:
    """Confirm it by a code of the app; from then on signing in asks for one."""
    door.throttle.count(name=access.user, address=address_of(request))
    codes = door.second_factors.confirm(access.user, given.code)
    door.throttle.succeeded(name=access.user, address=address_of(request))
    audit("account.second_factor.on", access.user)
    return RecoveryCodes(codes=codes)


@routes.api("DELETE", "/account/second-factor", permission=Permission.ACCOUNT)
def take_second_factor_away(
    given: FactorRequest,
    request: Request,
    access: CurrentAccess,
    door: CurrentFrontDoor,
    audit: CurrentAudit,
) -> FactorState:
    """Take your second factor away, with the password and a code."""
    _require_password(door, request, access.user, given.password)
    if door.second_factors.on(access.user):
        if not door.second_factors.passes(access.user, given.code):
            audit("account.second_factor.failed", access.user)
            raise FactorNeeded(wrong=bool(given.code.strip()))
        door.throttle.succeeded(name=access.user, address=address_of(request))
        door.second_factors.take_away(access.user)
        audit("account.second_factor.off", access.user)
    return FactorState(name=access.user, on=False)


@routes.api("DELETE", "/people/{name}/second-factor", permission=Permission.ADMINISTER)
def reset_second_factor(name: str, door: CurrentFrontDoor, audit: CurrentAudit) -> FactorState:
    """Take the second factor of somebody away who lost their device and their recovery codes."""
    account = door.accounts.get(name)
    had = door.second_factors.take_away(account.name)
    ended = door.sessions.end_all(account.name) if had else 0
    audit("user.second_factor.off", account.name, sessions=ended)
    return FactorState(name=account.name, on=False)


def _require_password(door: FrontDoor, request: Request, user: str, password: str) -> None:
    address = address_of(request)
    door.throttle.count(name=user, address=address)
    if door.accounts.checked(user, password) is None:
        raise WrongPassword("Your password is another.", do="Try again.")
