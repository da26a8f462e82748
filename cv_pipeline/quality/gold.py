"""Gold: which labels are known truth. The gate, skill and agreement all ask here.

Known truth are the labels of ``annotations.gold`` and those of role gold. Images that
``labeling.hand_off.gold.query`` names are gold as well: their truth is, where there is no such
label, what a reviewer said last, and else what was said by whoever labelled the image first. A
label that comes later is measured by that, and changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.raw import GOLD_ANNOTATOR
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog, one_of

_SQL = """
WITH known AS (
    SELECT DISTINCT image_id FROM labels WHERE role = 'gold' OR annotator = $gold
),
said AS (
    SELECT image_id, annotator, role, min(coalesce(created_at, updated_at)) AS first_at,
        max(coalesce(updated_at, created_at)) AS last_at
    FROM labels ANTI JOIN known USING (image_id)
    WHERE role IN ('annotator', 'reviewer')
    GROUP BY ALL
),
truth AS (
    SELECT image_id, annotator, role
    FROM said
    QUALIFY 1 = row_number() OVER (
        PARTITION BY image_id
        -- what has no time is of a file, and was there before
        ORDER BY role = 'reviewer' DESC, CASE WHEN role = 'reviewer'
            THEN -coalesce(epoch(last_at), 0) ELSE coalesce(epoch(first_at), 0) END, annotator
    )
)
SELECT {columns}
FROM labels
WHERE role = 'gold' OR annotator = $gold OR EXISTS (
    FROM truth AS t
    WHERE t.image_id = labels.image_id AND t.annotator = labels.annotator AND t.role = labels.role
)
ORDER BY image_id, annotation_id
"""
_READ = ("annotation_id", "image_id", "annotator", "role", "created_at", "updated_at")


def gold_labels(
    catalog: Catalog, *, query: str | None, columns: Iterable[str] = ("image_id",)
) -> pa.Table:
    """Every label that is known truth, by image.

    Args:
        catalog: the project's tables.
        query: of ``labeling.hand_off.gold``: images whose labels are known truth; None for none
            beside those that are marked.
        columns: of ``ANNOTATIONS``.

    Raises:
        QueryError: the query cannot be answered.
    """
    wanted = list(columns)
    where = (pc.field("role") == "gold") | (pc.field("annotator") == GOLD_ANNOTATOR)
    if query is not None:
        where |= one_of("image_id", _selected(catalog, query))
    read = dict.fromkeys([*_READ, *wanted])
    rows = catalog.table("annotations").read(columns=list(read), filter=where)
    return run_sql(
        _SQL.format(columns=", ".join(wanted)),
        relations={"labels": rows},
        parameters={"gold": GOLD_ANNOTATOR},
    )


def without_gold(rows: pa.Table) -> pa.Table:
    """Labels without those that are marked as known truth, which are no annotator's.

    Args:
        rows: column ``annotator``, and where it is known ``role``.
    """
    marked = pc.equal(rows["annotator"], GOLD_ANNOTATOR)
    if "role" in rows.column_names:
        marked = pc.or_(marked, pc.equal(rows["role"], "gold"))
    return rows.filter(pc.invert(marked))


def _selected(catalog: Catalog, query: str) -> list[str]:
    # the query language, which few projects name their gold in
    from cv_pipeline.catalog.datalake.selection import select
    from cv_pipeline.catalog.query import parse
    from cv_pipeline.catalog.snapshot import open_snapshot

    found = select(parse(query), snapshot=open_snapshot(catalog), catalog=catalog)
    ids: list[str] = found.image_ids.to_pylist()
    return ids
