"""One row per evaluated image: what the model got right and wrong on it."""

from __future__ import annotations

import pyarrow as pa

PER_IMAGE = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # train, val or test
        pa.field("split", pa.string(), nullable=False),
        # ground-truth objects; 1 for classification
        pa.field("objects", pa.int64(), nullable=False),
        # predictions that match an object: at IoU 0.5 and the operating point for detection
        pa.field("true_positives", pa.int64(), nullable=False),
        # predictions that match none
        pa.field("false_positives", pa.int64(), nullable=False),
        # objects that no prediction matches
        pa.field("false_negatives", pa.int64(), nullable=False),
        # whether there is neither a false positive nor a false negative
        pa.field("correct", pa.bool_(), nullable=False),
        # 0 (worst) to 1: F1 of the image for detection (1 where nothing is there and nothing was
        # found), the score that the true class was given for classification
        pa.field("score", pa.float64(), nullable=False),
        # true class; null for detection
        pa.field("truth", pa.string()),
        # class with the highest score; null for detection, and where nothing was predicted
        pa.field("predicted", pa.string()),
        # its score; null likewise
        pa.field("confidence", pa.float64()),
    ]
)
