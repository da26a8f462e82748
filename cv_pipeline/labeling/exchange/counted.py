"""The annotations of the tool that count: what work, agreement and pre-labels are judged by.

An annotation counts in its last state, where that is not deleted, the quarantine refuses neither it
nor its task, and nobody skipped the image with it. Whoever asks how far work is, who agrees, or
what became of pre-labels asks here, so that no refused annotation makes a batch done.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange.findings import refused_places
from cv_pipeline.labeling.exchange.history import LATEST_FIRST
from cv_pipeline.labeling.exchange.people import NAMED, named_relations

COLUMNS = (
    "tool_project", "task", "annotation", "image_id", "batch", "annotator", "updated_at",
    "created_at", "lead_time", "cancelled", "parent_prediction",
)  # fmt: skip
LOOKED_AT = ("batch", "image_id", "annotator", "cancelled")
"""Columns that say who looked at which image of a batch, and whether they skipped it."""

_SQL = """
WITH named AS ({named}),
latest AS (
    SELECT *
    FROM named
    WHERE $batch = '' OR batch = $batch
    QUALIFY 1 = row_number() OVER (
        PARTITION BY tool_project, annotation
        ORDER BY {order}
    )
)
SELECT {columns}
FROM latest AS c
WHERE NOT deleted AND ($skipped OR NOT cancelled) AND NOT EXISTS (
    FROM refused AS r
    WHERE r.tool_project = c.tool_project AND r.task = c.task
        AND (r.annotation IS NULL OR r.annotation = c.annotation)
)
"""


def counted_annotations(
    catalog: Catalog,
    *,
    columns: Sequence[str] = COLUMNS,
    skipped: bool = False,
    batch: str = "",
    version: int | None = None,
) -> pa.Table:
    """The annotations that count now, as far as pulls have seen.

    Args:
        catalog: the project's tables.
        columns: of ``TOOL_ANNOTATIONS``.
        skipped: whether those by which somebody skipped an image are there as well, which no
            label counts for; column ``cancelled`` tells them.
        batch: only those of this batch.
        version: version of ``tool_annotations`` to look at; the latest by default.
    """
    return run_sql(
        _SQL.format(columns=", ".join(columns), named=NAMED, order=LATEST_FIRST),
        relations={
            **named_relations(catalog, version=version),
            "refused": refused_places(catalog, skipped=False),
        },
        parameters={"skipped": skipped, "batch": batch},
    )
