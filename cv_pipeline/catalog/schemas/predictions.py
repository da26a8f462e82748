"""One row per detection, or per class that a classifier considers for an image."""

from __future__ import annotations

import pyarrow as pa

PREDICTIONS = pa.schema(
    [
        # the image; one without detections has no row
        pa.field("image_id", pa.string(), nullable=False),
        # position by score among the rows of its image, from 1
        pa.field("rank", pa.int32(), nullable=False),
        # class of the ontology
        pa.field("label", pa.string(), nullable=False),
        # confidence, 0 to 1
        pa.field("score", pa.float64(), nullable=False),
        # left edge, pixels of the stored image; null for classification
        pa.field("x_min", pa.float64()),
        # top edge
        pa.field("y_min", pa.float64()),
        # right edge, exclusive
        pa.field("x_max", pa.float64()),
        # bottom edge, exclusive
        pa.field("y_max", pa.float64()),
    ]
)
