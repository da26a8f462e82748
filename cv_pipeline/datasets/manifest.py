"""The manifest of a dataset, and the digest that names its content.

The digest covers what a training can see: which image in which split, every label with its
geometry, attributes, versions and annotator, and the split rule. Times, ids of tools, table
versions and verdicts are recorded beside it and not hashed, so the same content has the same digest
on any machine.
"""

from __future__ import annotations

import json

import pyarrow as pa

from cv_pipeline.catalog.digest import combined_digest, table_digest
from cv_pipeline.project import Split

SCHEMA_ID = "dataset/1"

MANIFEST = pa.schema(
    [
        # the image; rows are sorted by it
        pa.field("image_id", pa.string(), nullable=False),
        # train, val or test
        pa.field("split", pa.string(), nullable=False),
        # path in the source
        pa.field("path", pa.string(), nullable=False),
        # container format
        pa.field("format", pa.string(), nullable=False),
        # pixels
        pa.field("width", pa.int32(), nullable=False),
        # pixels
        pa.field("height", pa.int32(), nullable=False),
        # number of bands
        pa.field("bands", pa.int32(), nullable=False),
        # NumPy dtype of one sample
        pa.field("dtype", pa.string(), nullable=False),
        # capture time, UTC
        pa.field("captured_at", pa.timestamp("us", tz="UTC")),
        # ingest batch that brought it
        pa.field("batch", pa.string(), nullable=False),
        # smallest image_id of its near-duplicate cluster: its own when it has none
        pa.field("cluster", pa.string(), nullable=False),
        # smallest image_id of what the split keeps together: clusters and groups, joined
        pa.field("unit", pa.string(), nullable=False),
        # labels on it: objects, or 1 for a classified image
        pa.field("objects", pa.int32(), nullable=False),
        # labelled, or empty
        pa.field("labels_state", pa.string(), nullable=False),
    ]
)

_HASHED_IMAGE = ("image_id", "split")
_HASHED_LABEL = (
    "image_id",
    "label",
    "kind",
    "x_min",
    "y_min",
    "x_max",
    "y_max",
    "attributes",
    "ontology_version",
    "guideline_version",
    "annotator",
)


def dataset_digest(manifest: pa.Table, annotations: pa.Table, *, split: Split) -> str:
    """SHA-256 of a dataset's content, as 64 lower-case hex digits.

    Args:
        manifest: schema MANIFEST, in any order.
        annotations: schema ANNOTATIONS, in any order.
        split: the rule and its seed.
    """
    rule = json.dumps(split.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    images = manifest.select(list(_HASHED_IMAGE))
    labels = annotations.select(list(_HASHED_LABEL))
    return combined_digest(
        SCHEMA_ID,
        table_digest(images, schema_id=f"{SCHEMA_ID}/images", sort_by=_HASHED_IMAGE),
        table_digest(labels, schema_id=f"{SCHEMA_ID}/labels", sort_by=_HASHED_LABEL),
        rule,
    )
