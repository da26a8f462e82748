"""One row per file of a source that was ingested: several files may hold one image."""

from __future__ import annotations

import pyarrow as pa

FILES = pa.schema(
    [
        # path within the source: the primary key
        pa.field("path", pa.string(), nullable=False),
        # content that the file held when it was read
        pa.field("image_id", pa.string(), nullable=False),
        # size of the file
        pa.field("bytes", pa.int64(), nullable=False),
        # what the source says about the file's state without reading it (size and time, or ETag)
        pa.field("fingerprint", pa.string(), nullable=False),
        # ingest batch
        pa.field("batch", pa.string(), nullable=False),
    ]
)
