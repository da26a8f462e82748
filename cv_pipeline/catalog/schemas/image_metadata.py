"""Metadata as events: the current value of a key is that of its latest event."""

from __future__ import annotations

import pyarrow as pa

IMAGE_METADATA = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # metadata key, such as scene
        pa.field("key", pa.string(), nullable=False),
        # its value as text; null unsets the key
        pa.field("value", pa.string()),
        # who or what set it
        pa.field("actor", pa.string(), nullable=False),
        # when
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
