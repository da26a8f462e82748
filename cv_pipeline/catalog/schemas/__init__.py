"""Schemas of the catalogue's tables, one module each, documented column by column."""

from __future__ import annotations

from cv_pipeline.catalog.schemas.annotations import ANNOTATIONS
from cv_pipeline.catalog.schemas.batches import BATCHES
from cv_pipeline.catalog.schemas.files import FILES
from cv_pipeline.catalog.schemas.image_features import IMAGE_FEATURES
from cv_pipeline.catalog.schemas.image_metadata import IMAGE_METADATA
from cv_pipeline.catalog.schemas.image_tags import IMAGE_TAGS
from cv_pipeline.catalog.schemas.images import IMAGES
from cv_pipeline.catalog.schemas.quarantine import QUARANTINE

TABLES = {
    "annotations": ANNOTATIONS,
    "batches": BATCHES,
    "files": FILES,
    "image_features": IMAGE_FEATURES,
    "image_metadata": IMAGE_METADATA,
    "image_tags": IMAGE_TAGS,
    "images": IMAGES,
    "quarantine": QUARANTINE,
}

__all__ = [
    "ANNOTATIONS",
    "BATCHES",
    "FILES",
    "IMAGES",
    "IMAGE_FEATURES",
    "IMAGE_METADATA",
    "IMAGE_TAGS",
    "QUARANTINE",
    "TABLES",
]
