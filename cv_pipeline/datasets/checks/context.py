"""What the checks look at: a candidate, and what the catalogue knows of its images.

Everything is read once, at fixed table versions, so that a check gives the same result whenever
it is run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.candidate import load_candidate
from cv_pipeline.datasets.record import CandidateRecord
from cv_pipeline.datasets.statistics import MEASURES
from cv_pipeline.distinct import distinct
from cv_pipeline.memory import give_back_memory
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
class Shown:
    """Which images show which classes, each pair once.

    Attributes:
        names: (C,) classes that labels name, sorted.
        image: (P,) row of the manifest.
        label: (P,) number of the class.
        objects: (P,) labels of that class on that image.
    """

    names: pa.Array
    image: NDArray[np.int64]
    label: NDArray[np.int64]
    objects: NDArray[np.int64]


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
        every_annotation: of the whole lake, before aggregation: the columns of ``ANNOTATIONS``
            that tell who said what of which object.
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

    @cached_property
    def image_ids(self) -> pa.Array:
        """(N,) ids of the manifest's images."""
        return self.manifest["image_id"].combine_chunks()

    @cached_property
    def unit(self) -> NDArray[np.int64]:
        """(N,) number of the independent unit of each image."""
        return numbered(self.manifest["unit"])[0]

    @cached_property
    def image_of_label(self) -> NDArray[np.int64]:
        """(M,) row of the manifest that each label is on; -1 where it names no such image."""
        return rows_of(self.annotations["image_id"], self.image_ids)

    @cached_property
    def image_of_vote(self) -> NDArray[np.int64]:
        """(V,) likewise of each annotation before aggregation; -1 for other images of the lake."""
        return rows_of(self.every_annotation["image_id"], self.image_ids)

    @cached_property
    def shown(self) -> Shown:
        """Which images show which classes."""
        names = pc.unique(self.annotations["label"]).drop_null().sort()
        label, image = rows_of(self.annotations["label"], names), self.image_of_label
        known = (label >= 0) & (image >= 0)
        key = image[known] * max(len(names), 1) + label[known]
        pairs, objects = np.unique(key, return_counts=True)
        return Shown(names, *np.divmod(pairs, max(len(names), 1)), objects)


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
    give_back_memory()
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
    stored = read("images", "image_id")["image_id"].combine_chunks()
    labels, images, labelled = _images_of_classes(annotations, stored)
    return CheckContext(
        project=project,
        record=candidate.record,
        manifest=manifest,
        annotations=candidate.annotations,
        near_duplicates=candidate.near_duplicates,
        left_out=candidate.left_out,
        stored=stored,
        measures=on_images(read("image_features", "image_id", *MEASURES)),
        metadata=on_images(metadata),
        lake=_lake(metadata, labels, images),
        lake_labelled=labelled,
        every_annotation=annotations,
        quarantine=read("quarantine"),
    )


def rows_of(values: pa.ChunkedArray, known: pa.Array) -> NDArray[np.int64]:
    """(N,) place of each value among known ones; -1 where it is not among them."""
    place = pc.index_in(values, value_set=known).fill_null(-1)
    return np.asarray(place.to_numpy().astype(np.int64))


def numbered(values: pa.ChunkedArray) -> tuple[NDArray[np.int64], pa.Array]:
    """(N,) number of each value, and the values in the order of their numbers."""
    coded = pc.dictionary_encode(values).combine_chunks()
    return np.asarray(coded.indices.to_numpy().astype(np.int64)), coded.dictionary


def _images_of_classes(
    annotations: pa.Table, stored: pa.Array
) -> tuple[pa.Array, NDArray[np.int64], int]:
    """Classes, images of the lake that show each, and images that show any."""
    image, (label, names) = rows_of(annotations["image_id"], stored), numbered(annotations["label"])
    pairs = distinct(image * max(len(names), 1) + label)
    images = np.bincount(pairs % max(len(names), 1), minlength=len(names))
    return names, images, len(distinct(image))


def _lake(metadata: pa.Table, labels: pa.Array, images: NDArray[np.int64]) -> pa.Table:
    """Images of each metadata value and each class, of the whole lake."""
    values = metadata.group_by(["key", "value"]).aggregate([([], "count_all")])
    classes = pa.table([pa.repeat("", len(labels)), labels, images], schema=LAKE)
    values = pa.table([values["key"], values["value"], values["count_all"]], schema=LAKE)
    return pa.concat_tables([values, classes]).sort_by(
        [("key", "ascending"), ("value", "ascending")]
    )
