"""The manifest of a dataset, and the digest that names its content.

The digest covers what a training can see: which image in which split and fold, every label with its
geometry, attributes, versions and annotator, and the split rule. Times, ids of tools, table
versions and verdicts are recorded beside it and not hashed, so the same content has the same digest
on any machine.
"""

from __future__ import annotations

import pyarrow as pa

from cv_pipeline.catalog.digest import combined_digest, table_digest
from cv_pipeline.datasets.splitting.split_rule import canonical_rule
from cv_pipeline.errors import DatasetError
from cv_pipeline.project import Split

SCHEMA_ID = "dataset/3"
"""What the digest of a new dataset covers.

``dataset/1`` knew neither folds nor strategies, ``dataset/2`` no geometry beside the bounds.
"""

MANIFEST = pa.schema(
    [
        # the image; rows are sorted by it
        pa.field("image_id", pa.string(), nullable=False),
        # train, val or test
        pa.field("split", pa.string(), nullable=False),
        # fold of the cross-validation, from 1 (0: only ever trained on); null for test images, and
        # for all where the split rule asks for none
        pa.field("fold", pa.int32()),
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

_HASHED_IMAGE = {
    "dataset/1": ("image_id", "split"),
    "dataset/2": ("image_id", "split", "fold"),
    "dataset/3": ("image_id", "split", "fold"),
}
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


def dataset_digest(
    manifest: pa.Table, annotations: pa.Table, *, split: Split, schema_id: str = SCHEMA_ID
) -> str:
    """SHA-256 of a dataset's content, as 64 lower-case hex digits.

    Args:
        manifest: schema MANIFEST, in any order.
        annotations: schema ANNOTATIONS, in any order.
        split: the rule and its seed.
        schema_id: definition of the digest, for a dataset that was made under an older one.

    Raises:
        DatasetError: there is no such definition.
    """
    if schema_id not in _HASHED_IMAGE:
        raise DatasetError(
            f"A dataset of the form {schema_id} cannot be read by this version of the code.",
            do="Use the version that made it, or a newer one.",
        )
    of_image = _HASHED_IMAGE[schema_id]
    of_label: tuple[str, ...] = _HASHED_LABEL
    if schema_id not in ("dataset/1", "dataset/2"):
        of_label = (*_HASHED_LABEL, "geometry")
    images = manifest.select(list(of_image))
    labels = annotations.select(list(of_label))
    return combined_digest(
        schema_id,
        table_digest(images, schema_id=f"{schema_id}/images", sort_by=of_image),
        table_digest(labels, schema_id=f"{schema_id}/labels", sort_by=of_label),
        canonical_rule(split, schema_id=schema_id),
    )
