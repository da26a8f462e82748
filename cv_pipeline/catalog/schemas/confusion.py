"""One row per pair of true and predicted class that occurs."""

from __future__ import annotations

import pyarrow as pa

CONFUSION = pa.schema(
    [
        # train, val or test
        pa.field("split", pa.string(), nullable=False),
        # true class; null where a detection matches no object
        pa.field("truth", pa.string()),
        # predicted class; null where an object, or image, has no prediction
        pa.field("predicted", pa.string()),
        # how often: objects and detections, or images for classification
        pa.field("count", pa.int64(), nullable=False),
    ]
)
