"""One row per prediction that counts at the operating point, and per object that was missed."""

from __future__ import annotations

import pyarrow as pa

MATCHES = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # train, val or test
        pa.field("split", pa.string(), nullable=False),
        # the prediction's rank in its image; null for a missed object, and for classification
        pa.field("rank", pa.int32()),
        # the object that is meant; null for a prediction that means none, and for classification
        pa.field("annotation_id", pa.string()),
        # its class; null for a prediction that means none
        pa.field("truth", pa.string()),
        # predicted class; null for a missed object
        pa.field("predicted", pa.string()),
        # its score, 0 to 1; null for a missed object
        pa.field("score", pa.float64()),
        # overlap with the object that is meant, for kind both with the nearest object; null below
        # 0.1, for a missed object, and for classification
        pa.field("iou", pa.float64()),
        # correct; or the kind of error (Bolya et al. 2020): classification, localisation, both,
        # duplicate, background, missed
        pa.field("kind", pa.string(), nullable=False),
    ]
)
