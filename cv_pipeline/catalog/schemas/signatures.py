"""One row per image: what its picture looks like, small.

Nothing cites a version of this table, so that a take-out can remove the pixels of an image from
every version of it; what versions need of a picture is in ``image_features``.
"""

from __future__ import annotations

import pyarrow as pa

SIGNATURES = pa.schema(
    [
        # the primary key
        pa.field("image_id", pa.string(), nullable=False),
        # 32 × 32 luma, uint8, row-major: confirms what the hashes suggest
        pa.field("thumbnail", pa.binary(1024), nullable=False),
        # unit vector of colour and edge layout: the closer two are, the more alike the pictures
        pa.field("descriptor", pa.list_(pa.float32(), 64), nullable=False),
    ]
)
