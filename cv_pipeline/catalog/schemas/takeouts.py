"""One row per image that was taken out: its pixels are gone, and no later version may have it."""

from __future__ import annotations

import pyarrow as pa

TAKEOUTS = pa.schema(
    [
        # the primary key
        pa.field("image_id", pa.string(), nullable=False),
        # why, for people
        pa.field("reason", pa.string(), nullable=False),
        # who asked for it
        pa.field("actor", pa.string(), nullable=False),
        # when
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
