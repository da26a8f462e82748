"""``access`` of a ``project.yaml``: guarded images, and who may waive."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cv_pipeline.section import Section
from cv_pipeline.vocabulary import require_query

QueryText = Annotated[str, Field(min_length=1), AfterValidator(require_query)]
WaiverRole = Literal["reviewer", "engineer", "admin"]


class Access(Section):
    """Which images are guarded, and who may let a failed gate pass."""

    restricted: QueryText | None = Field(
        None,
        description="images whose every access is written to the audit log, as a text of the query"
        " language (docs/query.md); null for none",
    )
    waiver_roles: tuple[WaiverRole, ...] = Field(
        ("admin",),
        description="roles that may waive failed checks of a dataset candidate; empty for nobody",
    )
