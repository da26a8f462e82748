"""What became of pre-labels: accepted as they were, corrected, or deleted; and what was added.

Every annotation of an image that was pushed with pre-labels is one judgement of each of them. Boxes
are compared by where they are and not by the tool's ids, so that one that was deleted and drawn
again counts as corrected, and one that was made through the API counts too; what the tool itself
says was changed is corrected, however little it was. Only annotations that count
(:mod:`counted`) judge.
"""

from __future__ import annotations

import pyarrow as pa

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange.counted import counted_annotations

SAME = 0.98
"""Overlap (IoU) from which on a box is as it was suggested: the tool rounds."""
MOVED = 0.3
"""Overlap from which on a box is the suggested one, moved or called something else."""

JUDGEMENTS = pa.schema(
    [
        # id of the tool's project
        pa.field("tool_project", pa.int64(), nullable=False),
        # id of the annotation
        pa.field("annotation", pa.int64(), nullable=False),
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # batch that it was pushed in
        pa.field("batch", pa.string(), nullable=False),
        # pseudonym of who judged
        pa.field("annotator", pa.string(), nullable=False),
        # digest of the model that suggested, or name of the algorithm
        pa.field("model", pa.string(), nullable=False),
        # sampling algorithm that chose the image
        pa.field("arm", pa.string(), nullable=False),
        # number of the suggestion in its image; null for what was added
        pa.field("object", pa.int32()),
        # class that was suggested, or added
        pa.field("label", pa.string(), nullable=False),
        # class that it has now; null for what was deleted
        pa.field("given", pa.string()),
        # confidence of the suggestion; null for what was added
        pa.field("score", pa.float64()),
        # accepted, corrected, deleted or added
        pa.field("outcome", pa.string(), nullable=False),
    ]
)

RATES = pa.schema(
    [
        # digest of the model, or name of the algorithm
        pa.field("model", pa.string(), nullable=False),
        # class that was suggested, or added
        pa.field("label", pa.string(), nullable=False),
        # confidence, in tenths: 0.8 is from 0.8 to below 0.9; null for what was added
        pa.field("score", pa.float64()),
        # suggestions that were judged
        pa.field("suggested", pa.int64(), nullable=False),
        # of these, left as they were
        pa.field("accepted", pa.int64(), nullable=False),
        # of these, moved or called something else
        pa.field("corrected", pa.int64(), nullable=False),
        # of these, taken away
        pa.field("deleted", pa.int64(), nullable=False),
        # objects that nobody suggested
        pa.field("added", pa.int64(), nullable=False),
    ]
)

_READ = ("tool_project", "task", "annotation", "image_id", "batch", "annotator", "result")
_REGION = """[{"type":"VARCHAR","origin":"VARCHAR",
"original_width":"DOUBLE","original_height":"DOUBLE",
"value":{"x":"DOUBLE","y":"DOUBLE","width":"DOUBLE","height":"DOUBLE",
"rectanglelabels":["VARCHAR"],"choices":["VARCHAR"]}}]"""

_JUDGEMENTS = f"""
WITH judged AS (
    SELECT a.tool_project, a.annotation, a.image_id, a.batch, a.annotator, a.result,
        t.prelabel_model AS model, t.arm
    FROM annotations a
    JOIN tasks t ON t.tool_project = a.tool_project AND t.task = a.task
    WHERE t.prelabel_model <> ''
),
regions AS (
    SELECT *, row_number() OVER () AS region FROM (
        SELECT tool_project, annotation, image_id, model,
            coalesce(r.origin, '') = 'prediction-changed' AS changed,
            CASE WHEN r.type = 'choices' THEN 'class' ELSE 'bbox' END AS kind,
            CASE WHEN r.type = 'choices' THEN r.value.choices[1]
                ELSE r.value.rectanglelabels[1] END AS label,
            r.value.x * r.original_width / 100 AS x0,
            r.value.y * r.original_height / 100 AS y0,
            (r.value.x + r.value.width) * r.original_width / 100 AS x1,
            (r.value.y + r.value.height) * r.original_height / 100 AS y1
        FROM (
            SELECT *, unnest(from_json(result, '{_REGION}')) AS r FROM judged
        )
        WHERE r.type IN ('choices', 'rectanglelabels')
    )
    WHERE label IS NOT NULL
),
suggested AS (
    SELECT j.*, p.object, p.label, p.kind, p.score, p.x_min, p.y_min, p.x_max, p.y_max
    FROM judged j
    JOIN prelabels p ON p.image_id = j.image_id AND p.model = j.model AND p.kind <> 'none'
),
pairs AS (
    SELECT s.tool_project, s.annotation, s.object, r.region, r.label AS given, r.changed,
        s.label = r.label AS same_label,
        CASE WHEN s.kind = 'class' THEN 1.0 ELSE
            greatest(least(s.x_max, r.x1) - greatest(s.x_min, r.x0), 0)
            * greatest(least(s.y_max, r.y1) - greatest(s.y_min, r.y0), 0) END AS shared,
        CASE WHEN s.kind = 'class' THEN 1.0 ELSE
            (s.x_max - s.x_min) * (s.y_max - s.y_min) + (r.x1 - r.x0) * (r.y1 - r.y0)
            END AS areas,
        s.kind
    FROM suggested s
    JOIN regions r USING (tool_project, annotation, kind)
),
near AS (
    SELECT *, CASE WHEN kind = 'class' THEN 1.0
        ELSE shared / greatest(areas - shared, 1e-9) END AS iou
    FROM pairs
),
best AS (
    SELECT *,
        row_number() OVER (
            PARTITION BY tool_project, annotation, object
            ORDER BY iou DESC, same_label DESC, region
        ) AS of_object,
        row_number() OVER (
            PARTITION BY tool_project, annotation, region
            ORDER BY iou DESC, same_label DESC, object
        ) AS of_region
    FROM near
    WHERE iou >= {MOVED}
),
matched AS (
    SELECT * FROM best WHERE of_object = 1 AND of_region = 1
)
SELECT s.tool_project, s.annotation, s.image_id, s.batch, s.annotator, s.model, s.arm, s.object,
    s.label, m.given, s.score,
    CASE WHEN m.region IS NULL THEN 'deleted'
        WHEN m.same_label AND m.iou >= {SAME} AND NOT m.changed THEN 'accepted'
        ELSE 'corrected' END AS outcome
FROM suggested s
LEFT JOIN matched m USING (tool_project, annotation, object)
UNION ALL
SELECT j.tool_project, j.annotation, j.image_id, j.batch, j.annotator, j.model, j.arm, NULL,
    r.label, r.label, NULL, 'added'
FROM regions r
JOIN judged j USING (tool_project, annotation)
WHERE NOT EXISTS (
    SELECT 1 FROM matched m
    WHERE m.tool_project = r.tool_project AND m.annotation = r.annotation AND m.region = r.region
)
ORDER BY ALL
"""  # noqa: S608  # two numbers of this module

_RATES = """
SELECT model, label,
    CASE WHEN score >= 0.9 THEN 0.9 ELSE floor(round(score * 10, 6)) / 10 END AS score,
    count(*) FILTER (outcome <> 'added') AS suggested,
    count(*) FILTER (outcome = 'accepted') AS accepted,
    count(*) FILTER (outcome = 'corrected') AS corrected,
    count(*) FILTER (outcome = 'deleted') AS deleted,
    count(*) FILTER (outcome = 'added') AS added
FROM judgements
GROUP BY ALL
ORDER BY model, label, score NULLS LAST
"""


def acceptance(catalog: Catalog, *, version: int | None = None) -> pa.Table:
    """What annotators did with pre-labels, judgement by judgement: schema JUDGEMENTS.

    Args:
        catalog: the project's tables.
        version: version of ``tool_annotations`` to look at; the latest by default.
    """
    found = run_sql(
        _JUDGEMENTS,
        relations={
            "annotations": counted_annotations(catalog, columns=_READ, version=version),
            "tasks": catalog.table("labeling_tasks").relation(),
            "prelabels": catalog.table("prelabels").relation(),
        },
    )
    return found.cast(JUDGEMENTS)


def acceptance_rates(judgements: pa.Table) -> pa.Table:
    """Judgements counted by model, class and confidence: schema RATES.

    Args:
        judgements: schema JUDGEMENTS.
    """
    return run_sql(_RATES, relations={"judgements": judgements}).cast(RATES)


def acceptance_by_model(judgements: pa.Table) -> pa.Table:
    """The same by model alone: columns model, suggested, accepted, corrected, deleted and added."""
    rates = acceptance_rates(judgements)
    counts = [n for n in RATES.names if n not in ("model", "label", "score")]
    summed = rates.group_by("model").aggregate([(n, "sum") for n in counts])
    named = [summed["model"], *(summed[f"{n}_sum"] for n in counts)]
    return pa.Table.from_arrays(named, names=["model", *counts]).sort_by("model")
