"""Named queries as events: a name stands for what its latest event says."""

from __future__ import annotations

import pyarrow as pa

SAVED_QUERIES = pa.schema(
    [
        # the name
        pa.field("name", pa.string(), nullable=False),
        # the query in its text form, canonical; null takes the name away
        pa.field("text", pa.string()),
        # canonical JSON object of table to the version that was read when it was saved
        pa.field("table_versions", pa.string(), nullable=False),
        # canonical JSON object of each reference in it to the folder that it meant
        pa.field("pins", pa.string(), nullable=False),
        # images that it selected then
        pa.field("count", pa.int64(), nullable=False),
        # SHA-256 of their ids, as in the log
        pa.field("digest", pa.string(), nullable=False),
        # who saved it
        pa.field("actor", pa.string(), nullable=False),
        # when
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
