"""The relations that a compiled query may read, column by column.

Images are numbered: ``n`` is the row of an image in the table of all images sorted by image id, so
that joins are on integers. Text may be stored as a dictionary of few values; it means the same.
"""

from __future__ import annotations

import pyarrow as pa

_TIME = pa.timestamp("us", tz="UTC")

OF_IMAGES = pa.schema(
    [
        # number of the image
        pa.field("n", pa.int32(), nullable=False),
        # SHA-256 of the file's bytes
        pa.field("image_id", pa.string(), nullable=False),
        # this and what follows: as in the catalogue's table of images
        pa.field("path", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("bands", pa.int32(), nullable=False),
        pa.field("dtype", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("captured_at", _TIME),
        pa.field("ingested_at", _TIME, nullable=False),
        pa.field("split", pa.string()),
        pa.field("batch", pa.string(), nullable=False),
    ]
)
"""What an image is from its ingest on."""

OF_FEATURES = pa.schema(
    [
        # as in the table of features; null where there are none yet
        pa.field("brightness", pa.float64()),
        pa.field("contrast", pa.float64()),
        pa.field("sharpness", pa.float64()),
        pa.field("saturation", pa.float64()),
        pa.field("hue", pa.float64()),
        pa.field("phash", pa.uint64()),
    ]
)
"""What is measured of an image, a row for each in the order of ``n``."""

OF_TAGS = pa.schema(
    [
        # tags on it that people, or sources that people keep, put there
        pa.field("tags_by_people", pa.int32(), nullable=False),
    ]
)
"""What its tags come to, a row for each image in the order of ``n``."""

OF_ANNOTATIONS = pa.schema(
    [
        # annotations
        pa.field("annotations_count", pa.int32(), nullable=False),
        # distinct class labels
        pa.field("labels_count", pa.int32(), nullable=False),
        # distinct class labels that people gave
        pa.field("labels_by_people", pa.int32(), nullable=False),
        # annotators who worked on it; gold labels are no annotator's
        pa.field("annotators_count", pa.int32(), nullable=False),
        # of these annotators, 1 − the share of the largest group that gave the same multiset of
        # labels; 0 with fewer than two
        pa.field("disagreement", pa.float64(), nullable=False),
    ]
)
"""What its annotations come to, a row for each image in the order of ``n``."""

OF_TAKEOUTS = pa.schema(
    [
        # whether the image was taken out
        pa.field("taken_out", pa.bool_(), nullable=False),
        # when; null when it was not
        pa.field("taken_out_at", _TIME),
    ]
)
"""Whether an image was taken out, a row for each in the order of ``n``."""

IMAGES = pa.schema(
    [
        *OF_IMAGES,
        *OF_FEATURES,
        # tags and distinct class labels that people put on it: 0 is untouched
        pa.field("tags_count", pa.int32(), nullable=False),
        *(f for f in OF_ANNOTATIONS if f.name != "labels_by_people"),
        *OF_TAKEOUTS,
    ]
)
"""Relation ``images``: a row for each image, sorted by image id."""

METADATA = pa.schema(
    [
        # the image
        pa.field("n", pa.int32(), nullable=False),
        # metadata key
        pa.field("key", pa.string(), nullable=False),
        # its current value
        pa.field("value", pa.string(), nullable=False),
    ]
)
"""Relation ``metadata``: current values, sorted by image and key."""

TAGS = pa.schema(
    [
        # the image
        pa.field("n", pa.int32(), nullable=False),
        # a tag that is on it
        pa.field("tag", pa.string(), nullable=False),
    ]
)
"""Relation ``tags``: tags that are on images, sorted by image and tag."""

SET_ASIDE = pa.schema(
    [
        # the image
        pa.field("n", pa.int32(), nullable=False),
        # name of a batch that it was set aside in
        pa.field("name", pa.string(), nullable=False),
    ]
)
"""Relation ``set_aside``: images of batches, sorted by image and name."""

ANNOTATIONS = pa.schema(
    [
        # the image
        pa.field("n", pa.int32(), nullable=False),
        # this and what follows: as in the catalogue's table of annotations
        pa.field("label", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("x_min", pa.float64()),
        pa.field("y_min", pa.float64()),
        pa.field("x_max", pa.float64()),
        pa.field("y_max", pa.float64()),
        pa.field("attributes", pa.string(), nullable=False),
        pa.field("annotator", pa.string(), nullable=False),
        pa.field("ontology_version", pa.string(), nullable=False),
        pa.field("guideline_version", pa.string(), nullable=False),
        pa.field("lead_time", pa.float64()),
        pa.field("created_at", _TIME),
        pa.field("updated_at", _TIME),
    ]
)
"""Relation ``annotations``: sorted by image, and then by annotation id."""

DATASET = pa.schema(
    [
        # the image
        pa.field("n", pa.int32(), nullable=False),
        # its split in that dataset version
        pa.field("split", pa.string(), nullable=False),
    ]
)
"""Relation ``dataset_K``: the images of one dataset version."""

SIMILAR = pa.schema(
    [
        # the image
        pa.field("n", pa.int32(), nullable=False),
        # cosine of the angle between its descriptor and that of the image asked for
        pa.field("similarity", pa.float64(), nullable=False),
    ]
)
"""Relation ``similar_K``: the images that have a descriptor."""
