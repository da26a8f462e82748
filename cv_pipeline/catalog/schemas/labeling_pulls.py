"""A log: one row for each of the tool's projects that a pull read to its end."""

from __future__ import annotations

import pyarrow as pa

LABELING_PULLS = pa.schema(
    [
        # id of the tool's project
        pa.field("tool_project", pa.int64(), nullable=False),
        # batch that it holds
        pa.field("batch", pa.string(), nullable=False),
        # latest change that was seen, by the tool's clock: the next pull begins a little before it
        pa.field("cursor", pa.timestamp("us", tz="UTC")),
        # whether everything was read, and not only what had changed
        pa.field("whole", pa.bool_(), nullable=False),
        # tasks that were read
        pa.field("tasks", pa.int64(), nullable=False),
        # states of annotations that were new
        pa.field("states", pa.int64(), nullable=False),
        # key of what was read, in the object store; empty when nothing had changed
        pa.field("frozen", pa.string(), nullable=False),
        # when the pull began, by our clock
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
