"""What became of pre-labels: accepted as they were, corrected, or deleted; and what was added.

Every annotation of an image that was pushed with pre-labels is one judgement of each of them.
Objects are compared by where they are and not by the tool's ids, so that one that was deleted and
drawn again counts as corrected, and one that was made through the API counts too; what the tool
itself says was changed is corrected, however little it was. Boxes, polygons and masks are compared
by their overlap, key points by their likeness (:mod:`shape_overlap`). Only annotations that count
(:mod:`counted`) judge.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from cv_pipeline.annotations.geometry import read_shape
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange.counted import counted_annotations
from cv_pipeline.labeling.prelabels.judged_objects import judged_objects
from cv_pipeline.labeling.prelabels.shape_overlap import Drawn, overlap

SAME = 0.98
"""Overlap from which on an object is as it was suggested: the tool rounds."""
MOVED = 0.3
"""Overlap from which on an object is the suggested one, moved or called something else."""

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

_AT_ONCE = 1_000
"""Pairs of shapes that are compared at a time."""
_READ = ("tool_project", "task", "annotation", "image_id", "batch", "annotator", "result")
_OF_BOTH = "CASE kind WHEN 'class' THEN 'class' WHEN 'keypoints' THEN 'points' ELSE 'area' END"

_JUDGED = """
SELECT a.tool_project, a.annotation, a.image_id, a.batch, a.annotator, a.result,
    t.prelabel_model AS model, t.arm
FROM annotations a
JOIN tasks t ON t.tool_project = a.tool_project AND t.task = a.task
WHERE t.prelabel_model <> ''
"""

_SUGGESTED = f"""
SELECT j.tool_project, j.annotation, j.image_id, j.batch, j.annotator, j.model, j.arm, p.object,
    p.label, p.kind, p.score, p.x_min, p.y_min, p.x_max, p.y_max, p.geometry, {_OF_BOTH} AS sort
FROM judged j
JOIN prelabels p ON p.image_id = j.image_id AND p.model = j.model AND p.kind <> 'none'
"""  # noqa: S608  # a constant

_REGIONS = f"""
SELECT *, row_number() OVER () AS region, {_OF_BOTH} AS sort FROM objects
"""  # noqa: S608  # a constant

_SHAPED_PAIRS = """
SELECT s.tool_project, s.annotation, s.object, r.region, s.place, r.place AS place_there
FROM suggested s
JOIN regions r USING (tool_project, annotation, sort)
WHERE (s.geometry IS NOT NULL OR r.geometry IS NOT NULL) AND (
    sort = 'points' OR s.x_min < r.x1 AND r.x0 < s.x_max AND s.y_min < r.y1 AND r.y0 < s.y_max
)
ORDER BY ALL
"""

_OUTCOMES = f"""
WITH areas AS (
    SELECT s.tool_project, s.annotation, s.object, r.region, sort,
        CASE WHEN sort = 'class' THEN 1.0 ELSE
            greatest(least(s.x_max, r.x1) - greatest(s.x_min, r.x0), 0)
            * greatest(least(s.y_max, r.y1) - greatest(s.y_min, r.y0), 0) END AS shared,
        CASE WHEN sort = 'class' THEN 1.0 ELSE
            (s.x_max - s.x_min) * (s.y_max - s.y_min) + (r.x1 - r.x0) * (r.y1 - r.y0)
            END AS areas
    FROM suggested s
    JOIN regions r USING (tool_project, annotation, sort)
    WHERE s.geometry IS NULL AND r.geometry IS NULL
),
measured AS (
    SELECT tool_project, annotation, object, region, CASE WHEN sort = 'class' THEN 1.0
        ELSE shared / greatest(areas - shared, 1e-9) END AS overlap
    FROM areas
    UNION ALL
    SELECT tool_project, annotation, object, region, overlap FROM shaped_pairs
),
near AS (
    SELECT m.*, r.label AS given, r.changed, s.label = r.label AS same_label
    FROM measured m
    JOIN regions r USING (tool_project, annotation, region)
    JOIN suggested s USING (tool_project, annotation, object)
    WHERE overlap >= {MOVED}
),
best AS (
    SELECT *,
        row_number() OVER (
            PARTITION BY tool_project, annotation, object
            ORDER BY overlap DESC, same_label DESC, region
        ) AS of_object,
        row_number() OVER (
            PARTITION BY tool_project, annotation, region
            ORDER BY overlap DESC, same_label DESC, object
        ) AS of_region
    FROM near
),
matched AS (
    SELECT * FROM best WHERE of_object = 1 AND of_region = 1
)
SELECT s.tool_project, s.annotation, s.image_id, s.batch, s.annotator, s.model, s.arm, s.object,
    s.label, m.given, s.score,
    CASE WHEN m.region IS NULL THEN 'deleted'
        WHEN m.same_label AND m.overlap >= {SAME} AND NOT m.changed THEN 'accepted'
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
    judged = run_sql(
        _JUDGED,
        relations={
            "annotations": counted_annotations(catalog, columns=_READ, version=version),
            "tasks": catalog.table("labeling_tasks").relation(),
        },
    )
    prelabels = catalog.table("prelabels").relation()
    suggested = run_sql(_SUGGESTED, relations={"judged": judged, "prelabels": prelabels})
    objects = judged_objects(judged, catalog.table("images").relation())
    regions = run_sql(_REGIONS, relations={"objects": objects})
    both = {"suggested": suggested, "regions": regions}
    relations = {**both, "shaped_pairs": _overlaps(both), "judged": judged}
    return run_sql(_OUTCOMES, relations=relations).cast(JUDGEMENTS)


def _overlaps(both: dict[str, pa.Table]) -> pa.Table:
    """Overlap of each suggestion and object near it, of which one is no upright box."""
    placed = {n: r.append_column("place", pa.array(np.arange(len(r)))) for n, r in both.items()}
    pairs = run_sql(_SHAPED_PAIRS, relations=placed)
    found: list[float] = []
    for part in pairs.to_batches(max_chunksize=_AT_ONCE):  # shapes are large, and each is in many
        ours = _drawn(both["suggested"], part["place"], ("x_min", "y_min", "x_max", "y_max"))
        theirs = _drawn(both["regions"], part["place_there"], ("x0", "y0", "x1", "y1"))
        found += map(overlap, ours, theirs)
    keys = pairs.select(["tool_project", "annotation", "object", "region"])
    return keys.append_column("overlap", pa.array(found, pa.float64()))


def _drawn(rows: pa.Table, places: pa.Array, edges: tuple[str, str, str, str]) -> Iterator[Drawn]:
    """The objects of the rows at some places, one after the other."""
    for row in rows.select([*edges, "kind", "geometry"]).take(places).to_pylist():
        left, top, right, bottom = (row[edge] for edge in edges)
        text = row["geometry"]
        shape = None if text is None else read_shape(row["kind"], text)
        yield Drawn((left, top, right, bottom), shape)


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
