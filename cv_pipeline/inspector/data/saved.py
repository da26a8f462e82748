"""A saved query as pages and programs get it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from cv_pipeline.catalog.datalake.query_log import SavedQuery


class SavedRow(BaseModel):
    """A query with a name; ``digest`` is of the images that it selected when it got it."""

    name: str
    text: str
    count: int
    digest: str
    actor: str
    at: datetime

    @classmethod
    def of(cls, query: SavedQuery) -> SavedRow:
        """A saved query."""
        return cls(
            name=query.name,
            text=query.text,
            count=query.count,
            digest=query.digest,
            actor=query.actor,
            at=query.at,
        )
