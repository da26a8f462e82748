"""Accounts of who signs in at a provider: made the first time, with the roles of their groups."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cv_pipeline.inspector.access.accounts import Account, AccountError, Accounts
from cv_pipeline.inspector.access.roles import ALLOWED, Role
from cv_pipeline.inspector.access.secrets import derived, new_secret, same
from cv_pipeline.inspector.access.settings import SingleSignOn
from cv_pipeline.inspector.problems import RequestError

if TYPE_CHECKING:
    from cv_pipeline.inspector.access.provider import Claims

FLOW_SECONDS = 600


class NotLetIn(RequestError):
    """Who signed in at the provider may not sign in here."""

    status = 403


@dataclass(frozen=True)
class Flow:
    """A sign-in at a provider that was begun: what a browser carries until it comes back.

    Attributes:
        state: proof that it is the same browser.
        nonce: proof that the answer belongs to this question.
        verifier: proof that who asks for the answer began this.
        next: page that follows.
        until: when it is too late, in seconds since 1970.
    """

    state: str
    nonce: str
    verifier: str
    next: str
    until: int

    @classmethod
    def begin(cls, next_page: str) -> Flow:
        """Begin one."""
        until = int(time.time()) + FLOW_SECONDS
        return cls(new_secret(), new_secret(), new_secret(), next_page, until)

    def sealed(self, key: str) -> str:
        """As a cookie that only the holder of a key can make."""
        text = base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()
        return f"{text}.{derived(key, f'flow {text}')}"

    @classmethod
    def opened(cls, cookie: str, key: str) -> Flow | None:
        """From a cookie; None when it is forged or too late."""
        text, _, seal = cookie.partition(".")
        if not same(seal, derived(key, f"flow {text}")):
            return None
        flow = cls(**json.loads(base64.urlsafe_b64decode(text)))
        return flow if time.time() < flow.until else None


def account_of(accounts: Accounts, claims: Claims, settings: SingleSignOn) -> Account:
    """The account of who signed in at the provider, with the roles that their groups give now.

    Args:
        accounts: of the inspector.
        claims: what the provider says of them.
        settings: which roles groups give, and whose addresses may sign in.

    Raises:
        NotLetIn: their address is of another domain, the account is disabled, or its name is that
            of another account, which signing in elsewhere never takes over.
    """
    domains = {domain.lower() for domain in settings.allowed_domains}
    if domains and claims.email.rpartition("@")[2] not in domains:
        raise NotLetIn(
            f"Addresses of {claims.email.rpartition('@')[2] or 'no confirmed domain'} may not sign"
            " in here.",
            do="Sign in with another account, or ask an admin.",
        )
    found = accounts.of_subject(claims.subject)
    if found is None:
        try:
            found = accounts.add(claims.name, subject=claims.subject)
        except AccountError as error:
            raise NotLetIn(
                f"There can be no account of the name {claims.name!r} for you: {error.what}",
                do="Ask an admin.",
            ) from error
    if found.disabled:
        raise NotLetIn("Your account is disabled.", do="Ask an admin.")
    accounts.set_group_roles(found.name, roles_of_groups(claims.groups, settings.roles))
    return accounts.get(found.name)


def roles_of_groups(
    groups: Iterable[str], given: Mapping[str, Mapping[str, Role]]
) -> dict[str, Role]:
    """The roles that groups give: in each project the one that may do most.

    Args:
        groups: names of the groups.
        given: group to the roles that it gives.
    """
    roles: dict[str, Role] = {}
    for group in groups:
        for project, role in given.get(group, {}).items():
            before = roles.get(project)
            if before is None or len(ALLOWED[role]) > len(ALLOWED[before]):
                roles[project] = role
    return roles
