"""Schemas of the catalogue's tables, one module each, documented column by column."""

from __future__ import annotations

from cv_pipeline.catalog.schemas.annotations import ANNOTATIONS
from cv_pipeline.catalog.schemas.batches import BATCHES
from cv_pipeline.catalog.schemas.duplicate_searches import DUPLICATE_SEARCHES
from cv_pipeline.catalog.schemas.files import FILES
from cv_pipeline.catalog.schemas.guideline_versions import GUIDELINE_VERSIONS
from cv_pipeline.catalog.schemas.image_batches import IMAGE_BATCHES
from cv_pipeline.catalog.schemas.image_features import IMAGE_FEATURES
from cv_pipeline.catalog.schemas.image_metadata import IMAGE_METADATA
from cv_pipeline.catalog.schemas.image_tags import IMAGE_TAGS
from cv_pipeline.catalog.schemas.images import IMAGES
from cv_pipeline.catalog.schemas.labeling_batches import LABELING_BATCHES
from cv_pipeline.catalog.schemas.labeling_pulls import LABELING_PULLS
from cv_pipeline.catalog.schemas.labeling_tasks import LABELING_TASKS
from cv_pipeline.catalog.schemas.near_duplicates import NEAR_DUPLICATES
from cv_pipeline.catalog.schemas.ontology_versions import ONTOLOGY_VERSIONS
from cv_pipeline.catalog.schemas.parsed_annotations import PARSED_ANNOTATIONS
from cv_pipeline.catalog.schemas.prelabels import PRELABELS
from cv_pipeline.catalog.schemas.quarantine import QUARANTINE
from cv_pipeline.catalog.schemas.query_log import QUERY_LOG
from cv_pipeline.catalog.schemas.reviews import REVIEWS
from cv_pipeline.catalog.schemas.sampled_images import SAMPLED_IMAGES
from cv_pipeline.catalog.schemas.saved_queries import SAVED_QUERIES
from cv_pipeline.catalog.schemas.signatures import SIGNATURES
from cv_pipeline.catalog.schemas.split_assignments import SPLIT_ASSIGNMENTS
from cv_pipeline.catalog.schemas.takeouts import TAKEOUTS
from cv_pipeline.catalog.schemas.tool_annotations import TOOL_ANNOTATIONS
from cv_pipeline.catalog.schemas.tool_people import TOOL_PEOPLE

TABLES = {
    "annotations": ANNOTATIONS,
    "batches": BATCHES,
    "duplicate_searches": DUPLICATE_SEARCHES,
    "files": FILES,
    "guideline_versions": GUIDELINE_VERSIONS,
    "image_batches": IMAGE_BATCHES,
    "image_features": IMAGE_FEATURES,
    "image_metadata": IMAGE_METADATA,
    "image_tags": IMAGE_TAGS,
    "images": IMAGES,
    "labeling_batches": LABELING_BATCHES,
    "labeling_pulls": LABELING_PULLS,
    "labeling_tasks": LABELING_TASKS,
    "near_duplicates": NEAR_DUPLICATES,
    "ontology_versions": ONTOLOGY_VERSIONS,
    "parsed_annotations": PARSED_ANNOTATIONS,
    "prelabels": PRELABELS,
    "quarantine": QUARANTINE,
    "query_log": QUERY_LOG,
    "reviews": REVIEWS,
    "sampled_images": SAMPLED_IMAGES,
    "saved_queries": SAVED_QUERIES,
    "signatures": SIGNATURES,
    "split_assignments": SPLIT_ASSIGNMENTS,
    "takeouts": TAKEOUTS,
    "tool_annotations": TOOL_ANNOTATIONS,
    "tool_people": TOOL_PEOPLE,
}

__all__ = [
    "ANNOTATIONS",
    "BATCHES",
    "DUPLICATE_SEARCHES",
    "FILES",
    "GUIDELINE_VERSIONS",
    "IMAGES",
    "IMAGE_BATCHES",
    "IMAGE_FEATURES",
    "IMAGE_METADATA",
    "IMAGE_TAGS",
    "LABELING_BATCHES",
    "LABELING_PULLS",
    "LABELING_TASKS",
    "NEAR_DUPLICATES",
    "ONTOLOGY_VERSIONS",
    "PARSED_ANNOTATIONS",
    "PRELABELS",
    "QUARANTINE",
    "QUERY_LOG",
    "SAMPLED_IMAGES",
    "SAVED_QUERIES",
    "SIGNATURES",
    "SPLIT_ASSIGNMENTS",
    "TABLES",
    "TAKEOUTS",
    "TOOL_ANNOTATIONS",
    "TOOL_PEOPLE",
]
