"""One row per version of the labelling guideline that labels were made under."""

from __future__ import annotations

import pyarrow as pa

GUIDELINE_VERSIONS = pa.schema(
    [
        # the version
        pa.field("version", pa.string(), nullable=False),
        # SHA-256 of the text
        pa.field("digest", pa.string(), nullable=False),
        # the text, in Markdown
        pa.field("text", pa.string(), nullable=False),
        # when labels were first made under it, or first imported
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
