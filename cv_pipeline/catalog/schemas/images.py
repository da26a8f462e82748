"""One row per distinct image content."""

from __future__ import annotations

import pyarrow as pa

IMAGES = pa.schema(
    [
        # SHA-256 of the file's bytes, lower-case hex: the primary key
        pa.field("image_id", pa.string(), nullable=False),
        # path within the source of the first file (in sorted order of its batch) with this content
        pa.field("path", pa.string(), nullable=False),
        # URL of the source it was read from
        pa.field("source", pa.string(), nullable=False),
        # container format as decoded: JPEG, PNG, TIFF, …
        pa.field("format", pa.string(), nullable=False),
        # pixels, after EXIF orientation
        pa.field("width", pa.int32(), nullable=False),
        # pixels, after EXIF orientation
        pa.field("height", pa.int32(), nullable=False),
        # number of bands (channels)
        pa.field("bands", pa.int32(), nullable=False),
        # NumPy dtype of one sample: uint8, uint16, float32, …
        pa.field("dtype", pa.string(), nullable=False),
        # size of the file
        pa.field("bytes", pa.int64(), nullable=False),
        # capture time, UTC: the declared one, else the camera's; null when unknown
        pa.field("captured_at", pa.timestamp("us", tz="UTC")),
        # capture time that the camera wrote into the file, UTC; null when it did not
        pa.field("exif_captured_at", pa.timestamp("us", tz="UTC")),
        # split that the source declares (an official split); null when none
        pa.field("split", pa.string()),
        # ingest batch that brought it
        pa.field("batch", pa.string(), nullable=False),
        # when its row was committed
        pa.field("ingested_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
