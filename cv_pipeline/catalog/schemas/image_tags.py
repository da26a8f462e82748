"""Tags as events: a tag is on an image when its latest event set it."""

from __future__ import annotations

import pyarrow as pa

IMAGE_TAGS = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # the tag
        pa.field("tag", pa.string(), nullable=False),
        # true sets the tag, false removes it
        pa.field("present", pa.bool_(), nullable=False),
        # who or what set it
        pa.field("actor", pa.string(), nullable=False),
        # when
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
