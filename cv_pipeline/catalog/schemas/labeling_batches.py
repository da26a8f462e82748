"""Batches that are labelled in a tool, as events: a batch is as its latest one says.

Its images are those that were set aside under its name, in ``image_batches``. Events count in the
order of their times; one that the state before it does not allow, as when two people change a batch
at one moment, has no effect.
"""

from __future__ import annotations

import pyarrow as pa

LABELING_BATCHES = pa.schema(
    [
        # name of the batch
        pa.field("batch", pa.string(), nullable=False),
        # open, pushed, in_progress, done, paused or cancelled
        pa.field("state", pa.string(), nullable=False),
        # what is to be done with its images: detection, classification, …
        pa.field("task_type", pa.string(), nullable=False),
        # easy, medium or hard
        pa.field("difficulty", pa.string(), nullable=False),
        # name of the queue that it waits in
        pa.field("queue", pa.string(), nullable=False),
        # account of who answers for it; empty for nobody
        pa.field("owner", pa.string(), nullable=False),
        # how many annotators label each of its images
        pa.field("overlap", pa.int32(), nullable=False),
        # what comes first: the larger
        pa.field("priority", pa.int32(), nullable=False),
        # when it is to be done; null for no time
        pa.field("deadline", pa.timestamp("us", tz="UTC")),
        # whether it is a pilot round, which those who are not qualified yet may work on
        pa.field("pilot", pa.bool_(), nullable=False),
        # who made it so
        pa.field("actor", pa.string(), nullable=False),
        # when
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
