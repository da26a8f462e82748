"""One row per committed ingest batch."""

from __future__ import annotations

import pyarrow as pa

BATCHES = pa.schema(
    [
        # digest of the (path, image_id) pairs it brought: the primary key
        pa.field("batch", pa.string(), nullable=False),
        # files read
        pa.field("files", pa.int64(), nullable=False),
        # new distinct images
        pa.field("images", pa.int64(), nullable=False),
        # files whose content was known already
        pa.field("duplicates", pa.int64(), nullable=False),
        # files refused
        pa.field("quarantined", pa.int64(), nullable=False),
        # bytes read
        pa.field("bytes", pa.int64(), nullable=False),
        # when it was committed
        pa.field("ingested_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
