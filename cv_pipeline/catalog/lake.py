"""What metadata and tags are now: the definition of their current state.

Both are logs of events. Two events of one instant have an order too, and one that does not depend
on how rows lie, so that the state at a version is always the same.
"""

from __future__ import annotations

import pyarrow as pa

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog

CURRENT_METADATA = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # metadata key
        pa.field("key", pa.string(), nullable=False),
        # its current value
        pa.field("value", pa.string(), nullable=False),
    ]
)

CURRENT_TAGS = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # a tag that is on it
        pa.field("tag", pa.string(), nullable=False),
    ]
)

CURRENT_METADATA_SQL = """
SELECT image_id, key, value
FROM image_metadata
QUALIFY value IS NOT NULL AND 1 = row_number() OVER (
    PARTITION BY image_id, key ORDER BY "at" DESC, value DESC NULLS LAST, actor
)
ORDER BY image_id, key
"""

CURRENT_TAGS_SQL = """
SELECT image_id, tag, actor
FROM image_tags
QUALIFY present AND 1 = row_number() OVER (
    PARTITION BY image_id, tag ORDER BY "at" DESC, present DESC, actor
)
ORDER BY image_id, tag
"""


def current_metadata(catalog: Catalog, *, version: int | None = None) -> pa.Table:
    """Current value of every metadata key of every image.

    Args:
        catalog: the project's tables.
        version: version of ``image_metadata`` to look at; the latest by default.

    Returns:
        Rows of schema :data:`CURRENT_METADATA`, sorted by image and key.
    """
    rows = run_sql(
        CURRENT_METADATA_SQL,
        relations={"image_metadata": catalog.table("image_metadata").relation(version=version)},
    )
    return rows.cast(CURRENT_METADATA)


def current_tags(catalog: Catalog, *, version: int | None = None) -> pa.Table:
    """Tags that are on images now.

    Args:
        catalog: the project's tables.
        version: version of ``image_tags`` to look at; the latest by default.

    Returns:
        Rows of schema :data:`CURRENT_TAGS`, sorted by image and tag.
    """
    rows = run_sql(
        CURRENT_TAGS_SQL,
        relations={"image_tags": catalog.table("image_tags").relation(version=version)},
    )
    return rows.select(CURRENT_TAGS.names).cast(CURRENT_TAGS)
