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
from cv_pipeline.datasets.statistics import MEASURES
from cv_pipeline.project import Project

LAKE = pa.schema(
    [
        # metadata key, or empty for a class
        pa.field("key", pa.string(), nullable=False),
        # its value, or the class
        pa.field("value", pa.string(), nullable=False),
        # images of the whole lake that have it
        pa.field("images", pa.int64(), nullable=False),
    ]
)
_VOTES = ["image_id", "annotator", "label", "kind", "x_min", "y_min", "x_max", "y_max"]


@dataclass(frozen=True, eq=False)
class CheckContext:
    """A candidate with all that its checks need.

    Attributes:
        project: the project.
        record: what the candidate says of itself.
        manifest: ``MANIFEST``.
        annotations: ``ANNOTATIONS`` after aggregation.
        near_duplicates: ``NEAR_DUPLICATES``.
        left_out: ``LEFT_OUT``: selected images that the candidate could not take.
        stored: ``image_id`` of every image that the catalogue knows.
        measures: ``image_id`` and ``statistics.MEASURES`` of the images that have features.
        metadata: ``CURRENT_METADATA`` of the candidate's images.
        lake: :data:`LAKE`: groups of all images that the catalogue knows.
        lake_labelled: images of the whole lake that have a label.
        every_annotation: on the candidate's images, before aggregation, the columns of
            ``ANNOTATIONS`` that tell who said what of which object.
        quarantine: ``QUARANTINE``: what was refused on the way in.
    """

    project: Project
    record: CandidateRecord
    manifest: pa.Table
    annotations: pa.Table
    near_duplicates: pa.Table
    left_out: pa.Table
    stored: pa.Array
    measures: pa.Table
    metadata: pa.Table
    lake: pa.Table
    lake_labelled: int
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
        inside = pc.is_in(rows["image_id"], value_set=image_ids)
        return rows if pc.all(inside, min_count=0).as_py() else rows.filter(inside)

    metadata = current_metadata(catalog, version=versions.get("image_metadata"))
    annotations = read("annotations", *_VOTES)
    return CheckContext(
        project=project,
        record=candidate.record,
        manifest=manifest,
        annotations=candidate.annotations,
        near_duplicates=candidate.near_duplicates,
        left_out=candidate.left_out,
        stored=read("images", "image_id")["image_id"].combine_chunks(),
        measures=on_images(read("image_features", "image_id", *MEASURES)),
        metadata=on_images(metadata),
        lake=_lake(metadata, annotations),
        lake_labelled=len(pc.unique(annotations["image_id"])),
        every_annotation=on_images(annotations),
        quarantine=read("quarantine"),
    )


def _lake(metadata: pa.Table, annotations: pa.Table) -> pa.Table:
    """Images of each metadata value and each class, of the whole lake."""
    values = metadata.group_by(["key", "value"]).aggregate([([], "count_all")])
    shown = annotations.group_by(["image_id", "label"]).aggregate([])
    classes = shown.group_by("label").aggregate([([], "count_all")])
    parts = [
        pa.Table.from_arrays([values["key"], values["value"], values["count_all"]], schema=LAKE),
        pa.Table.from_arrays(
            [pa.repeat("", len(classes)), classes["label"], classes["count_all"]], schema=LAKE
        ),
    ]
    return pa.concat_tables(parts).sort_by([("key", "ascending"), ("value", "ascending")])
