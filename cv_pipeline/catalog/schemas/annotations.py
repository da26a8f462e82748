"""One row per annotated object, or per image-level choice."""

from __future__ import annotations

import pyarrow as pa

ANNOTATIONS = pa.schema(
    [
        # stable id: SHA-256 (first 32 hex) of source file, original id and image path
        pa.field("annotation_id", pa.string(), nullable=False),
        # the image
        pa.field("image_id", pa.string(), nullable=False),
        # class of the ontology
        pa.field("label", pa.string(), nullable=False),
        # geometry kind: bbox or class
        pa.field("kind", pa.string(), nullable=False),
        # left edge, pixels of the stored image; null for kind class
        pa.field("x_min", pa.float64()),
        # top edge
        pa.field("y_min", pa.float64()),
        # right edge, exclusive
        pa.field("x_max", pa.float64()),
        # bottom edge, exclusive
        pa.field("y_max", pa.float64()),
        # canonical JSON object of attributes, such as {"occluded":true}
        pa.field("attributes", pa.string(), nullable=False),
        # pseudonym of who drew it
        pa.field("annotator", pa.string(), nullable=False),
        # version of the ontology it was made under
        pa.field("ontology_version", pa.string(), nullable=False),
        # version of the guideline it was made under
        pa.field("guideline_version", pa.string(), nullable=False),
        # seconds of work; null when the tool does not say
        pa.field("lead_time", pa.float64()),
        # when it was made
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
        # when it was last changed
        pa.field("updated_at", pa.timestamp("us", tz="UTC")),
        # file of the export it came from
        pa.field("source", pa.string(), nullable=False),
        # id in the tool it came from
        pa.field("original_id", pa.string(), nullable=False),
    ]
)
