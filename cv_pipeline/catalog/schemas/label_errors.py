"""One row per label that is likely to be wrong, the likeliest first."""

from __future__ import annotations

import pyarrow as pa

LABEL_ERRORS = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # val or test: the model has not learnt from it
        pa.field("split", pa.string(), nullable=False),
        # wrong_class, missing_object or bad_box
        pa.field("issue", pa.string(), nullable=False),
        # the class that the label says; null for an object that is not labelled
        pa.field("given", pa.string()),
        # the class that the model says
        pa.field("suggested", pa.string(), nullable=False),
        # its score, 0 to 1
        pa.field("score", pa.float64(), nullable=False),
        # overlap of the model's box with the labelled one; null where there is none
        pa.field("iou", pa.float64()),
        # the label; null for an object that is not labelled, and for classification
        pa.field("annotation_id", pa.string()),
        # the prediction's rank in its image; null for classification
        pa.field("rank", pa.int32()),
    ]
)
