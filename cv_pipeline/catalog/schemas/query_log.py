"""One row per query that was asked, with all that it takes to ask it again."""

from __future__ import annotations

import pyarrow as pa

QUERY_LOG = pa.schema(
    [
        # short id of the row, by which it can be asked again
        pa.field("query_id", pa.string(), nullable=False),
        # the query in its text form, canonical
        pa.field("text", pa.string(), nullable=False),
        # the DuckDB statement that it compiled to
        pa.field("sql", pa.string(), nullable=False),
        # canonical JSON object of the values that were bound in it
        pa.field("parameters", pa.string(), nullable=False),
        # canonical JSON object of table to the version that was read
        pa.field("table_versions", pa.string(), nullable=False),
        # canonical JSON object of each reference in it to the folder that it meant
        pa.field("pins", pa.string(), nullable=False),
        # images that it selected
        pa.field("count", pa.int64(), nullable=False),
        # SHA-256 of the selected ids in their order
        pa.field("digest", pa.string(), nullable=False),
        # seconds that it took
        pa.field("seconds", pa.float64(), nullable=False),
        # where it came from: python, cli, http or dataset
        pa.field("origin", pa.string(), nullable=False),
        # who asked
        pa.field("actor", pa.string(), nullable=False),
        # when
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
