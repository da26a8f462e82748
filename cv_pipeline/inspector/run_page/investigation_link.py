"""The investigation that a run was launched from, as pages of runs name it."""

from __future__ import annotations

from pydantic import BaseModel


class InvestigationLink(BaseModel):
    """An investigation that a run was launched from."""

    id: str
    title: str
