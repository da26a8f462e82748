"""One row per image that was compared with all other images of the table: up to which distance."""

from __future__ import annotations

import pyarrow as pa

DUPLICATE_SEARCHES = pa.schema(
    [
        # the primary key
        pa.field("image_id", pa.string(), nullable=False),
        # most bits in which the hashes of its pairs in near_duplicates may differ
        pa.field("distance", pa.int32(), nullable=False),
    ]
)
