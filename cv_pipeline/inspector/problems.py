"""What can be wrong with a request, and how each error of the project is answered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cv_pipeline.errors import (
    CorrectiveError,
    CVPipelineError,
    GateRefused,
    ObjectNotFound,
    ObjectTakenOut,
    ProjectError,
    ProvenanceError,
    QueryError,
    StorageError,
    WaiverRefused,
)
from cv_pipeline.inspector.access.roles import ALLOWED, Permission, Role


class RequestError(CVPipelineError):
    """A request cannot be answered.

    Attributes:
        status: HTTP status.
        headers: what else the answer says.
    """

    status = 400
    headers: Mapping[str, str] = MappingProxyType({})


class SignInNeeded(RequestError):
    """Nobody is signed in, or what they showed is no longer valid."""

    status = 401

    def __init__(self, what: str = "You are not signed in.", *, do: str = "Sign in.") -> None:
        super().__init__(what, do=do)


class Forbidden(RequestError):
    """The account may not do this.

    Args:
        permission: what it takes.
        project: in which project; None for what concerns them all.
        role: what the account is there; None for nothing.
        limited: whether its role would allow it, and the token that it showed does not.
    """

    status = 403

    def __init__(
        self,
        permission: Permission,
        project: str | None,
        *,
        role: Role | None = None,
        limited: bool = False,
    ) -> None:
        where = f" in project {project}" if project else " in every project"
        able = [f"{each.value}s" for each in Role if permission in ALLOWED[each]]
        who = " and ".join(", ".join(able).rsplit(", ", 1))
        you = f"you are {'an' if role.value[0] in 'aeiou' else 'a'} {role.value}" if role else ""
        if limited:
            super().__init__(
                f"This token does not allow this: it needs the permission '{permission}'{where}.",
                do="Make a token that has it among its scopes, on your account's page.",
            )
            return
        super().__init__(
            f"This is for {who}{where}"
            + (f"; {you} there." if you and project else ".")
            + f" It needs the permission '{permission}'.",
            do="Ask an admin for a role that has it.",
        )


class NotFound(RequestError):
    """There is no such thing, or the account may not know of it."""

    status = 404


_STATUS: tuple[tuple[type[CVPipelineError], int], ...] = (
    (ObjectTakenOut, 410),
    (ObjectNotFound, 404),
    (StorageError, 503),
    (ProjectError, 404),
    (ProvenanceError, 404),
    (QueryError, 422),
    (CorrectiveError, 409),
    (GateRefused, 409),
    (WaiverRefused, 409),
)


def status_of(error: CVPipelineError) -> int:
    """HTTP status that an error is answered with."""
    if isinstance(error, RequestError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 400)
