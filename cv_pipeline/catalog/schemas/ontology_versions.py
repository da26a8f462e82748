"""One row per version of the ontology that labels were made under."""

from __future__ import annotations

import pyarrow as pa

ONTOLOGY_VERSIONS = pa.schema(
    [
        # the version
        pa.field("version", pa.string(), nullable=False),
        # SHA-256 of the content
        pa.field("digest", pa.string(), nullable=False),
        # canonical JSON object: labels, attributes, geometry, keypoints and tags, sorted
        pa.field("content", pa.string(), nullable=False),
        # when labels were first made under it, or first imported
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
