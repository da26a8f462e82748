"""One row per image that sampling algorithms chose for a batch: which of them chose it, and how."""

from __future__ import annotations

import pyarrow as pa

SAMPLED_IMAGES = pa.schema(
    [
        # name of the batch, as in image_batches
        pa.field("batch", pa.string(), nullable=False),
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # sampling algorithm that chose it; random for the control arm
        pa.field("arm", pa.string(), nullable=False),
        # its place in the order of that arm, from 0: what to label first
        pa.field("place", pa.int32(), nullable=False),
        # images that it was chosen from
        pa.field("pool", pa.int64(), nullable=False),
        # seed of the selection
        pa.field("seed", pa.int64(), nullable=False),
        # model whose predictions were used; empty for none
        pa.field("model", pa.string(), nullable=False),
        # when
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
