"""What the checks look at: a candidate, and what the catalogue knows of its images.

Everything is read once, at fixed table versions, so that a check gives the same result whenever
it is run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.candidate import load_candidate
from cv_pipeline.datasets.record import CandidateRecord
from cv_pipeline.project import Project

MEASURES = ("brightness", "contrast", "sharpness", "saturation", "hue")


@dataclass(frozen=True, eq=False)
class CheckContext:
    """A candidate with all that its checks need.

    Attributes:
        project: the project.
        record: what the candidate says of itself.
        manifest: ``MANIFEST``.
        annotations: ``ANNOTATIONS`` after aggregation.
        near_duplicates: ``NEAR_DUPLICATES``.
        stored: ``image_id`` of every image that the catalogue knows.
        measures: ``image_id`` and :data:`MEASURES` of the images that have features.
        metadata: ``CURRENT_METADATA`` of the candidate's images.
        every_annotation: ``ANNOTATIONS`` on the candidate's images, before aggregation.
        quarantine: ``QUARANTINE``: what was refused on the way in.
    """

    project: Project
    record: CandidateRecord
    manifest: pa.Table
    annotations: pa.Table
    near_duplicates: pa.Table
    stored: pa.Array
    measures: pa.Table
    metadata: pa.Table
    every_annotation: pa.Table
    quarantine: pa.Table


def load_context(
    *,
    project: Project,
    catalog: Catalog,
    folder: Path,
    table_versions: Mapping[str, int] | None = None,
) -> CheckContext:
    """Read a candidate and what the catalogue knows of its images.

    Args:
        project: the project, whose severities and thresholds apply.
        catalog: its tables.
        folder: folder of the candidate.
        table_versions: versions of the tables to read; those of the candidate where they are left
            out, and the latest of tables that it does not name.

    Raises:
        DatasetError: there is no candidate in the folder.
        CatalogError: a version was cleaned up.
    """
    candidate = load_candidate(folder)
    versions = {**candidate.table_versions, **(table_versions or {})}
    manifest = candidate.manifest
    image_ids = manifest["image_id"].combine_chunks()

    def read(table: str, *columns: str) -> pa.Table:
        return catalog.table(table).read(columns=columns or None, version=versions.get(table))

    def on_images(rows: pa.Table) -> pa.Table:
        return rows.filter(pc.is_in(rows["image_id"], value_set=image_ids))

    metadata = current_metadata(catalog, version=versions.get("image_metadata"))
    return CheckContext(
        project=project,
        record=candidate.record,
        manifest=manifest,
        annotations=candidate.annotations,
        near_duplicates=candidate.near_duplicates,
        stored=read("images", "image_id")["image_id"].combine_chunks(),
        measures=on_images(read("image_features", "image_id", *MEASURES)),
        metadata=on_images(metadata),
        every_annotation=on_images(read("annotations")),
        quarantine=read("quarantine"),
    )
