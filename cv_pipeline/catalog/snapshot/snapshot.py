"""A snapshot: everything that a query can ask about, as of fixed versions of the tables.

It lies in mapped Arrow files below ``CV_HOME``, made once for a set of table versions; what did
not change since an earlier set is used again. Opening one that exists costs milliseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cv_pipeline.catalog.digest import combined_digest
from cv_pipeline.catalog.snapshot.numbering import Numbering, ids_digest
from cv_pipeline.catalog.snapshot.part_files import Build, PartFiles, PartTables
from cv_pipeline.catalog.snapshot.parts import IMAGES_LAYOUT, PARTS, Part, make_images
from cv_pipeline.catalog.snapshot.relations import IMAGES
from cv_pipeline.catalog.snapshot.rows import take_rows
from cv_pipeline.catalog.sql import RunSQL, workspace
from cv_pipeline.catalog.tables import Catalog, CatalogTable
from cv_pipeline.errors import CatalogError
from cv_pipeline.settings import cv_home

TABLES_READ = tuple(sorted({"images", *(part.table for part in PARTS)}))
"""Tables of the catalogue that a snapshot is made of."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The relations of one project at fixed table versions.

    Attributes:
        project: name of the project.
        table_versions: table to the version that is shown, for each of :data:`TABLES_READ`.
        identities: table to what tells that version from any other.
        images: schema ``relations.IMAGES``; row ``n`` is image ``n``.
        metadata: schema ``relations.METADATA``.
        tags: schema ``relations.TAGS``.
        set_aside: schema ``relations.SET_ASIDE``.
        annotations: schema ``relations.ANNOTATIONS``.
        by_path: numbers of the images in the order of their paths.
    """

    project: str
    table_versions: dict[str, int]
    identities: dict[str, str]
    images: pa.Table
    metadata: pa.Table
    tags: pa.Table
    set_aside: pa.Table
    annotations: pa.Table
    by_path: pa.ChunkedArray

    @cached_property
    def numbering(self) -> Numbering:
        """Which number an image id has."""
        return Numbering(self.images["image_id"])

    def image_ids(self, numbers: NDArray[np.int32]) -> pa.Array:
        """Ids of some images, in the order of their numbers here: array of strings."""
        return take_rows(self.images.select(["image_id"]), numbers)["image_id"].combine_chunks()

    def relations(self) -> dict[str, pa.Table]:
        """The relations by the names that statements know them under."""
        return {
            "images": self.images,
            "metadata": self.metadata,
            "tags": self.tags,
            "set_aside": self.set_aside,
            "annotations": self.annotations,
        }


def fixed_versions(catalog: Catalog, given: Mapping[str, int] | None = None) -> dict[str, int]:
    """A version for each table that a snapshot is made of.

    Args:
        catalog: the project's tables.
        given: versions that are wanted; the latest of the tables that it leaves out.
    """
    wanted = given or {}
    return {n: wanted[n] if n in wanted else catalog.table(n).version for n in TABLES_READ}


def open_snapshot(
    catalog: Catalog,
    *,
    table_versions: Mapping[str, int] | None = None,
    cache: Path | None = None,
    opened: Snapshot | None = None,
) -> Snapshot:
    """Open the snapshot of some table versions; it is made where it was not yet.

    Args:
        catalog: the project's tables.
        table_versions: versions to show; the latest of the tables that it leaves out.
        cache: folder of the snapshots; ``cache/snapshots`` below ``CV_HOME`` by default.
        opened: one that was opened before, which is returned when it is still the right one.

    Raises:
        CatalogError: a version was cleaned up or never existed, a file of a table is lost or
            damaged, or the cache cannot be written.
    """
    wanted = table_versions or {}
    with ThreadPoolExecutor(len(TABLES_READ)) as threads:  # a bucket answers with delay
        found = threads.map(lambda n: catalog.table(n).identity(wanted.get(n)), TABLES_READ)
        states = dict(zip(TABLES_READ, found, strict=True))
    identities = {name: identity for name, (_, identity) in states.items()}
    if opened is not None and opened.identities == identities:
        return opened
    store = hashlib.sha256(catalog.store.url.encode()).hexdigest()[:12]
    folder = (cache or cv_home() / "cache" / "snapshots") / f"{catalog.project}-{store}"
    files = PartFiles(folder, project=catalog.project)
    sources = {n: _Source(catalog.table(n), version) for n, (version, _) in states.items()}
    key = combined_digest(str(IMAGES_LAYOUT), identities["images"])
    images = files.get("images", key=key[:32], build=_images_builder(sources["images"]))
    parts = {}
    for part in PARTS:
        key = combined_digest(str(part.layout), images.notes["numbering"], identities[part.table])
        build = _part_builder(part, sources[part.table], images)
        parts[part.name] = files.get(part.name, key=key[:32], build=build)
    return Snapshot(
        project=catalog.project,
        table_versions={name: version for name, (version, _) in states.items()},
        identities=identities,
        images=_joined(images, parts),
        metadata=parts["metadata"].tables["metadata"],
        tags=parts["tags"].tables["tags"],
        set_aside=parts["set_aside"].tables["set_aside"],
        annotations=parts["annotations"].tables["annotations"],
        by_path=images.tables["paths"]["n"],
    )


@dataclass(frozen=True)
class _Source:
    """The version of a table that a part is made from."""

    table: CatalogTable
    version: int

    @contextmanager
    def opened(self, folder: Path) -> Iterator[tuple[RunSQL, Any]]:
        """A runner of statements, and the table's rows to run them on."""
        import duckdb

        try:
            with workspace(folder) as run:
                yield run, self.table.relation(version=self.version)
        except (OSError, duckdb.Error) as error:
            raise CatalogError(
                f"Version {self.version} of table {self.table.name} cannot be read: {error}.",
                do="Check the free space of CV_HOME; where a file of the table is lost or damaged,"
                " restore it from a backup.",
            ) from error


def _images_builder(source: _Source) -> Build:
    def build(folder: Path) -> PartTables:
        with source.opened(folder) as (run, relation):
            tables = make_images(run, relation)
        return PartTables(tables, {"numbering": ids_digest(tables["images"]["image_id"])})

    return build


def _part_builder(part: Part, source: _Source, images: PartTables) -> Build:
    def build(folder: Path) -> PartTables:
        ids = images.tables["images"].select(["n", "image_id"])
        with source.opened(folder) as (run, relation):
            return PartTables(part.make(run, relation, ids), {})

    return build


def _joined(images: PartTables, parts: Mapping[str, PartTables]) -> pa.Table:
    """The relation ``images``: columns of several parts, side by side."""
    own = images.tables["images"]
    features = parts["features"].tables["features"]
    of_tags = parts["tags"].tables["of_tags"]
    of_annotations = parts["annotations"].tables["of_annotations"]
    takeouts = parts["takeouts"].tables["takeouts"]
    counts = pc.add(of_tags["tags_by_people"], of_annotations["labels_by_people"])
    columns = {"tags_count": counts}
    for table in (own, features, of_annotations, takeouts):
        columns |= dict(zip(table.schema.names, table.columns, strict=True))
    return pa.table({name: columns[name] for name in IMAGES.names})
