"""What one request may do: who asks, by which means, and with which roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from cv_pipeline.inspector.access.roles import ALLOWED, EVERY_PROJECT, Permission, Role
from cv_pipeline.inspector.problems import Forbidden, NotFound, SignInNeeded


@dataclass(frozen=True)
class Access:
    """Who asks, and what they may do.

    Attributes:
        user: name of the account; empty when nobody is signed in.
        roles: project, or ``*`` for every one, to the role there.
        scopes: permissions that the means of access is limited to, as a token can be; None for no
            limit.
        means: ``session``, ``token`` or ``none``.
        csrf: what a page sends back with every change; empty for tokens, which need none.
        credential: what the audit log and lists call the session or token; no secret.
    """

    user: str
    roles: Mapping[str, Role]
    scopes: frozenset[Permission] | None = None
    means: str = "none"
    csrf: str = ""
    credential: str = ""

    def role(self, project: str) -> Role | None:
        """The role in a project; the one that is given for it goes before that for every one.

        Who is an admin of every project is one in each, whatever is given there.
        """
        everywhere = self.roles.get(EVERY_PROJECT)
        return everywhere if everywhere is Role.ADMIN else self.roles.get(project) or everywhere

    def may(self, permission: Permission, project: str | None = None) -> bool:
        """Whether something is allowed.

        Args:
            permission: what is to be done.
            project: in which project; None for what concerns them all, which takes the role for
                every project.
        """
        if permission is Permission.PUBLIC:
            return True
        if not self.user:
            return False
        if permission is Permission.SIGNED_IN:
            return True
        if permission is Permission.ACCOUNT:
            return self.means == "session"
        if self.scopes is not None and permission not in self.scopes:
            return False
        role = self.roles.get(EVERY_PROJECT) if project is None else self.role(project)
        return role is not None and permission in ALLOWED[role]


NOBODY = Access(user="", roles={})
"""Access without an account."""


class Authenticator(Protocol):
    """Finds out who asks."""

    def __call__(self, connection: HTTPConnection, /) -> Access:
        """Who asks; :data:`NOBODY` when they do not say.

        Raises:
            SignInNeeded: what they show is expired, revoked or forged.
        """
        ...


async def current_access(request: Request) -> Access:
    """Who asks, found out once for each request."""
    found: Access = request.state.access
    return found


CurrentAccess = Annotated[Access, Depends(current_access)]
"""A parameter of a view: who asks."""


def needs(permission: Permission) -> Callable[..., Any]:
    """A dependency that refuses a request without a permission in the project of its address.

    Somebody without any role in a project is not told whether it exists.
    """

    async def check(request: Request, access: CurrentAccess) -> None:
        project = request.path_params.get("project")
        if access.may(permission, project):
            return
        if not access.user:
            raise SignInNeeded
        if project is not None and access.role(project) is None:
            raise NotFound(f"There is no project {project!r} here, or you have no role in it.")
        role = access.roles.get(EVERY_PROJECT) if project is None else access.role(project)
        allowed = role is not None and permission in ALLOWED[role]
        raise Forbidden(permission, project, role=role, limited=allowed)

    return check
