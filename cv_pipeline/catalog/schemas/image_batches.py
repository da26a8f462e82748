"""Batches of images that were set aside, as events: an image is in the state of its latest one.

A batch is all images that have an event under its name; ``open`` is the first state.
"""

from __future__ import annotations

import pyarrow as pa

IMAGE_BATCHES = pa.schema(
    [
        # name of the batch
        pa.field("name", pa.string(), nullable=False),
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # what for: label or relabel
        pa.field("purpose", pa.string(), nullable=False),
        # state of the image in the batch: open
        pa.field("state", pa.string(), nullable=False),
        # why, in words; may be empty
        pa.field("reason", pa.string(), nullable=False),
        # query that selected the images, in its canonical text form
        pa.field("query", pa.string(), nullable=False),
        # SHA-256 over the ids of the batch's images, sorted, each followed by a line feed
        pa.field("digest", pa.string(), nullable=False),
        # who set them aside
        pa.field("actor", pa.string(), nullable=False),
        # when
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
