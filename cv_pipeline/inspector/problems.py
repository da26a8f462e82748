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
    """The account may not do this."""

    status = 403

    def __init__(self, permission: str, project: str | None) -> None:
        where = f" in project {project}" if project else ""
        super().__init__(
            f"Your role does not allow this: it needs the permission {permission!r}{where}.",
            do="Ask an admin for a role that has it; a token needs it among its scopes too.",
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
