"""One row per pair of images that show the same picture."""

from __future__ import annotations

import pyarrow as pa

NEAR_DUPLICATES = pa.schema(
    [
        # one image; with the other, the primary key
        pa.field("image_a", pa.string(), nullable=False),
        # the other, greater
        pa.field("image_b", pa.string(), nullable=False),
        # how they differ: same (re-encoded, resized), mirrored, cropped or cropped_mirrored
        pa.field("kind", pa.string(), nullable=False),
        # bits in which the hashes differ that led to the pair
        pa.field("distance", pa.int32(), nullable=False),
        # what differs over what is tolerated, 0 to 1
        pa.field("mismatch", pa.float32(), nullable=False),
    ]
)
