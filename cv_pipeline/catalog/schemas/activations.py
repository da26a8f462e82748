"""One row per image and class of it: how much of the activation behind it lies on its objects."""

from __future__ import annotations

import pyarrow as pa

ACTIVATIONS = pa.schema(
    [
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # class of objects on it, by its labels
        pa.field("label", pa.string(), nullable=False),
        # score of the strongest detection of the class; null where the model has none
        pa.field("score", pa.float64()),
        # share of the activation for the class inside the objects' boxes, 0 to 1; null where the
        # model finds none of the class, or nothing activates it
        pa.field("share", pa.float64()),
        # share of the image's area that those boxes cover: what an even activation would give
        pa.field("area", pa.float64(), nullable=False),
    ]
)
