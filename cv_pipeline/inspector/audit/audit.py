"""Writes down what a request did."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request


class Audit:
    """The audit log as one request writes it: who and from where are known."""

    def of(self, user: str) -> Audit:
        """The same for who a request turned out to come from."""
        return self

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
        """


def current_audit(_: Request) -> Audit:
    """The audit log for this request."""
    return Audit()


CurrentAudit = Annotated[Audit, Depends(current_audit)]
"""A parameter of a view that changes something: where it writes that down."""
