"""What a model said of each validation image after each epoch of its training."""

from __future__ import annotations

import pyarrow as pa

EPOCH_RESULTS = pa.schema(
    [
        # epoch, from 1
        pa.field("epoch", pa.int32(), nullable=False),
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # cross-entropy of the true class; null for detection, whose losses need a pass of their
        # own, and where the true class is not among those that the prediction lists
        pa.field("loss", pa.float32()),
        # 0 (worst) to 1: as in schema PER_IMAGE
        pa.field("score", pa.float32(), nullable=False),
        # whether there was no mistake on it
        pa.field("correct", pa.bool_(), nullable=False),
        # predictions that match an object
        pa.field("true_positives", pa.int32(), nullable=False),
        # predictions that match none
        pa.field("false_positives", pa.int32(), nullable=False),
        # objects that no prediction matches
        pa.field("false_negatives", pa.int32(), nullable=False),
        # annotation ids of the objects that a detection matches; null for classification
        pa.field("found", pa.list_(pa.string())),
        # score from which detections counted in this epoch, the best F1 of its validation; null for
        # classification
        pa.field("operating_point", pa.float32()),
    ]
)
