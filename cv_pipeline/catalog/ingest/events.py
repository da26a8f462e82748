"""Declared metadata and tags, as events: only what differs from the last declaration is written.

The source has its own voice: what it declares is compared with what it declared before, so a
value that somebody else set since then stays until the declaration itself changes or is dropped,
and running again writes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import IMAGE_METADATA, IMAGE_TAGS
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog, one_of

SOURCE_ACTOR = "source"
"""Actor of the events that a project's declarations make."""

_CHANGED_VALUES = """
WITH before AS (
    SELECT image_id, key, value
    FROM events
    QUALIFY 1 = row_number() OVER (PARTITION BY image_id, key ORDER BY "at" DESC, value DESC)
)
SELECT image_id, key, declared.value
FROM declared LEFT JOIN before USING (image_id, key)
WHERE declared.value IS DISTINCT FROM before.value
UNION ALL
SELECT image_id, key, NULL AS value
FROM before SEMI JOIN complete USING (image_id) ANTI JOIN declared USING (image_id, key)
WHERE value IS NOT NULL
ORDER BY image_id, key
"""

_CHANGED_TAGS = """
WITH before AS (
    SELECT image_id, tag
    FROM events
    QUALIFY present
        AND 1 = row_number() OVER (PARTITION BY image_id, tag ORDER BY "at" DESC, present DESC)
), spoken_of AS (
    SELECT image_id FROM declared UNION SELECT image_id FROM complete
), now AS (
    SELECT image_id, tag FROM declared WHERE tag IS NOT NULL
), changed AS (
    SELECT image_id, tag, true AS present FROM now ANTI JOIN before USING (image_id, tag)
    UNION ALL
    SELECT image_id, tag, false AS present
    FROM before SEMI JOIN spoken_of USING (image_id) ANTI JOIN now USING (image_id, tag)
)
FROM changed ORDER BY image_id, tag
"""


def record_values(
    catalog: Catalog, declared: pa.Table, *, complete_for: pa.ChunkedArray | None = None
) -> int:
    """Append an event for every declared value that is new, has changed or was dropped.

    Args:
        catalog: the project's tables.
        declared: rows of ``declarations.IMAGE_VALUES``.
        complete_for: image ids of which ``declared`` is all that is declared, so that what it
            lacks of them was dropped and is unset. Without it nothing is, and only the events of
            the declared images, which are few, are read to compare with.

    Returns:
        How many events were appended.
    """
    changed = _changed(catalog, "image_metadata", _CHANGED_VALUES, declared, complete_for)
    return _append(catalog, "image_metadata", changed, IMAGE_METADATA)


def record_tags(
    catalog: Catalog, declared: pa.Table, *, complete_for: pa.ChunkedArray | None = None
) -> int:
    """Append an event for every tag that is declared now and was not before, or the reverse.

    Args:
        catalog: the project's tables.
        declared: rows of ``declarations.IMAGE_TAG_LISTS``.
        complete_for: as in :func:`record_values`. The tags of an image in ``declared`` are all
            that it has in either case.

    Returns:
        How many events were appended.
    """
    changed = _changed(catalog, "image_tags", _CHANGED_TAGS, declared, complete_for)
    return _append(catalog, "image_tags", changed, IMAGE_TAGS)


def _changed(
    catalog: Catalog, name: str, sql: str, declared: pa.Table, complete_for: pa.ChunkedArray | None
) -> pa.Table:
    ours = pc.field("actor") == SOURCE_ACTOR
    if complete_for is None:
        ours &= one_of("image_id", pc.unique(declared["image_id"]).to_pylist())
    events = catalog.table(name).read(filter=ours)
    complete = pa.table({"image_id": pa.array([], pa.string())})
    if complete_for is not None:
        complete = pa.table({"image_id": complete_for})
    relations = {"declared": declared, "events": events, "complete": complete}
    return run_sql(sql, relations=relations)


def _append(catalog: Catalog, name: str, rows: pa.Table, schema: pa.Schema) -> int:
    now = pa.scalar(datetime.now(UTC), schema.field("at").type)
    rows = rows.append_column("actor", pa.repeat(pa.scalar(SOURCE_ACTOR), len(rows)))
    catalog.table(name).append(rows.append_column("at", pa.repeat(now, len(rows))))
    return len(rows)
