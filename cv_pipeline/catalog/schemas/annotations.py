"""One row per annotated object, image-level choice or tag."""

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
        # geometry kind: bbox, rotated_box, polygon, mask, keypoints, class (the label of the whole
        # image) or tag (one of any number that the whole image has)
        pa.field("kind", pa.string(), nullable=False),
        # left edge of the bounds, pixels of the stored image; null for kinds class and tag. Of
        # keypoints, the bounds of their object where the format states them
        pa.field("x_min", pa.float64()),
        # top edge
        pa.field("y_min", pa.float64()),
        # right edge, exclusive
        pa.field("x_max", pa.float64()),
        # bottom edge, exclusive
        pa.field("y_max", pa.float64()),
        # canonical JSON of the shape (cv_pipeline.annotations.geometry); null for kinds bbox, class
        # and tag, which the bounds describe in full
        pa.field("geometry", pa.string()),
        # canonical JSON object of attributes, such as {"occluded":true}
        pa.field("attributes", pa.string(), nullable=False),
        # pseudonym of who drew it
        pa.field("annotator", pa.string(), nullable=False),
        # in what role: annotator, reviewer, model or gold
        pa.field("role", pa.string(), nullable=False),
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

KINDS = ("bbox", "rotated_box", "polygon", "mask", "keypoints", "class", "tag")
"""Geometry kinds."""

SHAPE_KINDS = ("rotated_box", "polygon", "mask", "keypoints")
"""Kinds that have a geometry beside their bounds."""

KINDS_OF_TASK = {
    "detection": ("bbox", *SHAPE_KINDS),
    "classification": ("class",),
}
"""Kinds that are labels of a task; a shape counts for detection by its bounds."""

ROLES = ("annotator", "reviewer", "model", "gold")
"""Roles that an annotation can be made in."""
