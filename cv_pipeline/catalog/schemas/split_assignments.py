"""One row per image and rule of splits or folds: what the first dataset version gave it."""

from __future__ import annotations

import pyarrow as pa

SPLIT_ASSIGNMENTS = pa.schema(
    [
        # digest of the rule of splits, or of that of folds; with the image, the primary key
        pa.field("rule", pa.string(), nullable=False),
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # train, val or test
        pa.field("split", pa.string(), nullable=False),
        # its fold, from 1 (0: images that are only ever trained on); null where there is none
        pa.field("fold", pa.int32()),
        # dataset version that gave it
        pa.field("dataset", pa.string(), nullable=False),
        # when
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
