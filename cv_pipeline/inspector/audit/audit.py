"""Writes down what a request did."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request

from cv_pipeline.inspector.access.access import Access
from cv_pipeline.inspector.audit.entry import Entry
from cv_pipeline.inspector.audit.log import AuditLog


@dataclass(frozen=True)
class Audit:
    """The audit log as one request writes it: who and from where are known.

    Attributes:
        log: where it writes.
        user: who asks; empty for nobody.
        means: by a session, a token or none.
        credential: which session or token.
        address: from where.
    """

    log: AuditLog
    user: str
    means: str = "none"
    credential: str = ""
    address: str = ""

    def __call__(
        self,
        action: str,
        target: str,
        *,
        project: str | None = None,
        why: str = "",
        **details: Any,
    ) -> None:
        """Write down that something was done.

        Args:
            action: what, such as ``corrective.launch``.
            target: to what: an id or a name.
            project: in which project.
            why: the reason that was given.
            **details: more, as plain values.

        Raises:
            AuditLogError: it cannot be written.
        """
        self.log.append(
            Entry(
                action=action,
                target=target,
                user=self.user,
                means=self.means,
                credential=self.credential,
                address=self.address,
                project=project or "",
                why=why,
                details=details,
            )
        )

    def of(self, user: str) -> Audit:
        """The same for who a request turned out to come from."""
        return replace(self, user=user)


async def current_audit(request: Request) -> Audit:
    """The audit log for this request."""
    access: Access = request.state.access
    return Audit(
        log=request.app.state.audit_log,
        user=access.user,
        means=access.means,
        credential=access.credential,
        address=request.client.host if request.client else "",
    )


CurrentAudit = Annotated[Audit, Depends(current_audit)]
"""A parameter of a view that changes something: where it writes that down."""
