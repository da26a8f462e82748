"""Every label that somebody made, with its time: what pace, cost and estimates are reckoned from.

A label here is one annotator's work on one image, however many objects it has. Labels of the tool
come from its log, those that were deleted, skipped or refused since among them: they took time as
well. Labels of exports come from ``annotations``, as far as the tool's log does not have them. Gold
labels and those of models are nobody's work.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from cv_pipeline.annotations.raw import GOLD_ANNOTATOR
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.batches.states import Declared
from cv_pipeline.labeling.exchange.findings import refused_places
from cv_pipeline.labeling.exchange.history import LATEST_FIRST
from cv_pipeline.labeling.exchange.people import NAMED, named_relations
from cv_pipeline.labeling.exchange.pulled_export import PULLED

LABELS = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # pseudonym of who labelled it
        pa.field("annotator", pa.string(), nullable=False),
        # whether it was a review
        pa.field("review", pa.bool_(), nullable=False),
        # batch that it was pushed in; empty for a label of an export
        pa.field("batch", pa.string(), nullable=False),
        # easy, medium or hard: what was declared of the batch
        pa.field("difficulty", pa.string(), nullable=False),
        # sampling algorithm that chose the image, random for the control arm; empty when unknown
        pa.field("arm", pa.string(), nullable=False),
        # digest of the model whose pre-labels it began with; empty for none
        pa.field("prelabel_model", pa.string(), nullable=False),
        # when it was made; null when that is not known
        pa.field("at", pa.timestamp("us", tz="UTC")),
        # seconds of work as the tool gave them; null when it did not
        pa.field("seconds", pa.float64()),
        # whether it stands: neither skipped, nor deleted since, nor refused
        pa.field("stands", pa.bool_(), nullable=False),
        # whether the quarantine refuses it: who made it and how long that took is not proven
        pa.field("refused", pa.bool_(), nullable=False),
    ]
)

_SQL = f"""
WITH named AS ({NAMED}),
log AS (
    SELECT image_id, annotator, batch, created_at AS "at", lead_time AS seconds,
        NOT cancelled AND NOT deleted AND NOT refused AS stands,
        refused AND NOT deleted AS refused
    FROM (
        SELECT *, EXISTS (
            FROM refused_places AS r
            WHERE r.tool_project = t.tool_project AND r.task = t.task
                AND (r.annotation IS NULL OR r.annotation = t.annotation)
        ) AS refused
        FROM named AS t
    )
    QUALIFY 1 = row_number() OVER (
        PARTITION BY tool_project, annotation
        ORDER BY {LATEST_FIRST}
    )
),
exported AS (
    SELECT image_id, annotator, bool_or(role = 'reviewer') AS review,
        max(coalesce(created_at, updated_at)) AS "at", max(lead_time) AS seconds
    FROM annotations
    WHERE role IN ('annotator', 'reviewer') AND annotator <> $gold
        AND annotator NOT LIKE 'model:%' AND annotator NOT LIKE 'auto:%'
        -- what was imported of the tool is in its log, under whatever name it had then
        AND NOT regexp_full_match(source, $pulled)
    GROUP BY image_id, annotator
),
made AS (
    SELECT image_id, annotator, false AS review, batch, "at", seconds, stands, refused FROM log
    UNION ALL
    SELECT image_id, annotator, review, '' AS batch, "at", seconds, true AS stands,
        false AS refused
    FROM exported ANTI JOIN log USING (image_id, annotator)
)
SELECT image_id, annotator, review, batch, coalesce(difficulty, 'medium') AS difficulty,
    coalesce(arm, '') AS arm, coalesce(prelabel_model, '') AS prelabel_model, "at", seconds, stands,
    refused
FROM made LEFT JOIN labeling_tasks USING (batch, image_id) LEFT JOIN declared USING (batch)
ORDER BY "at" NULLS LAST, image_id, annotator
"""  # noqa: S608 - of a constant


def labels_made(catalog: Catalog, declared: Mapping[str, Declared]) -> pa.Table:
    """Every label that somebody made, in the order of their times; those without come last.

    Args:
        catalog: the project's tables.
        declared: name of a batch to what was declared of it.

    Returns:
        Rows of schema :data:`LABELS`.
    """
    known = pa.table(
        {
            "batch": pa.array(list(declared), pa.string()),
            "difficulty": pa.array([d.difficulty for d in declared.values()], pa.string()),
        }
    )
    names = ("annotations", "labeling_tasks")
    relations = {name: catalog.table(name).relation() for name in names}
    relations |= named_relations(catalog)
    refused = refused_places(catalog, skipped=False)
    rows = run_sql(
        _SQL,
        relations={**relations, "declared": known, "refused_places": refused},
        parameters={"gold": GOLD_ANNOTATOR, "pulled": PULLED},
    )
    return rows.cast(LABELS)
