"""One row per thing from outside that was refused, with the reason."""

from __future__ import annotations

import pyarrow as pa

QUARANTINE = pa.schema(
    [
        # raw_images or annotation_exports
        pa.field("stage", pa.string(), nullable=False),
        # path of the file
        pa.field("file", pa.string(), nullable=False),
        # which part of it: empty for the whole file, else such as annotations[3].bbox
        pa.field("field", pa.string(), nullable=False),
        # machine-readable kind: corrupt_image, unknown_label, …
        pa.field("reason", pa.string(), nullable=False),
        # a sentence for people
        pa.field("detail", pa.string(), nullable=False),
        # state of the file when it was refused, so that a repaired file is tried again
        pa.field("fingerprint", pa.string(), nullable=False),
        # when
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
