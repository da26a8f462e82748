"""One row per image: perceptual hashes and quality measures."""

from __future__ import annotations

import pyarrow as pa

IMAGE_FEATURES = pa.schema(
    [
        # the primary key
        pa.field("image_id", pa.string(), nullable=False),
        # 64-bit DCT perceptual hash
        pa.field("phash", pa.uint64(), nullable=False),
        # the same of the image flipped left to right
        pa.field("phash_mirrored", pa.uint64(), nullable=False),
        # mean luma, 0 to 1
        pa.field("brightness", pa.float64(), nullable=False),
        # standard deviation of luma, 0 to 0.5
        pa.field("contrast", pa.float64(), nullable=False),
        # variance of the Laplacian of luma at 128 px
        pa.field("sharpness", pa.float64(), nullable=False),
        # mean HSV saturation, 0 to 1
        pa.field("saturation", pa.float64(), nullable=False),
        # saturation-weighted circular mean hue, degrees, 0 to 360
        pa.field("hue", pa.float64(), nullable=False),
    ]
)
