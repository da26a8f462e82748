"""A dataset candidate: the images that a query selects, their labels, and the split.

It is a function of the project and of the catalogue's table versions alone: the same ones give a
folder with the same bytes. Nothing is promised about its quality; the checks look at that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.aggregation import aggregate
from cv_pipeline.catalog.datalake.selection import select_images
from cv_pipeline.catalog.lake import current_metadata
from cv_pipeline.catalog.schemas import ANNOTATIONS, NEAR_DUPLICATES
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.duplicates.search import read_pairs
from cv_pipeline.datasets.manifest import MANIFEST, SCHEMA_ID, dataset_digest
from cv_pipeline.datasets.record import (
    ANNOTATIONS_FILE,
    CANDIDATE_FILE,
    LEFT_OUT_FILE,
    MANIFEST_FILE,
    NEAR_DUPLICATES_FILE,
    CandidateRecord,
    hash_files,
    read_record,
    read_table,
    summarize,
    write_record,
    write_table,
)
from cv_pipeline.datasets.splitting.assignments import kept_assignments
from cv_pipeline.datasets.splitting.bonds import bonds_of
from cv_pipeline.datasets.splitting.left_out import LEFT_OUT, bridges, unreadable
from cv_pipeline.datasets.splitting.splits import SPLITS, SplitAssignment, assign_splits, places_of
from cv_pipeline.datasets.statistics import MEASURES, fit_statistics
from cv_pipeline.errors import DatasetError, nearest
from cv_pipeline.project import Project, SplitName

TABLES_READ = (
    "annotations",
    "duplicate_searches",
    "image_batches",
    "image_features",
    "image_metadata",
    "image_tags",
    "images",
    "near_duplicates",
    "split_assignments",
    "takeouts",
)


@dataclass(frozen=True, eq=False)
class AddedImages:
    """Images that a dataset takes besides those of its query.

    Attributes:
        image_ids: their ids.
        corrective: digest of the corrective record that declares them.
    """

    image_ids: pa.Array
    corrective: str


@dataclass(frozen=True)
class Candidate:
    """A dataset candidate on disk.

    Attributes:
        folder: holds ``manifest.parquet``, ``annotations.parquet``, ``near_duplicates.parquet``,
            ``left_out.parquet`` and ``candidate.json``.
        record: what ``candidate.json`` says.
    """

    folder: Path
    record: CandidateRecord

    @property
    def digest(self) -> str:
        """SHA-256 of the content: the digest of the version that it may become."""
        return self.record.digest

    @property
    def images(self) -> int:
        """Number of images."""
        return self.record.images

    @property
    def objects(self) -> int:
        """Number of labels."""
        return self.record.objects

    @property
    def splits(self) -> dict[SplitName, int]:
        """Images of each split."""
        return self.record.splits

    @property
    def sql(self) -> str:
        """The statement that selected the images."""
        return self.record.sql

    @property
    def table_versions(self) -> dict[str, int]:
        """Versions of the catalogue's tables that were read."""
        return self.record.table_versions

    @property
    def manifest(self) -> pa.Table:
        """One row an image: ``MANIFEST``, sorted by ``image_id``."""
        return read_table(self.folder / MANIFEST_FILE, MANIFEST)

    @property
    def annotations(self) -> pa.Table:
        """The labels after aggregation: ``ANNOTATIONS``."""
        return read_table(self.folder / ANNOTATIONS_FILE, ANNOTATIONS)

    @property
    def near_duplicates(self) -> pa.Table:
        """The pairs that were found: ``NEAR_DUPLICATES``."""
        return read_table(self.folder / NEAR_DUPLICATES_FILE, NEAR_DUPLICATES)

    @property
    def left_out(self) -> pa.Table:
        """The selected images that it could not take: ``LEFT_OUT``."""
        return read_table(self.folder / LEFT_OUT_FILE, LEFT_OUT)


def load_candidate(folder: Path) -> Candidate:
    """The candidate in a folder.

    Raises:
        DatasetError: there is none.
    """
    return Candidate(folder, read_record(CandidateRecord, folder / CANDIDATE_FILE))


def build_candidate(
    *,
    project: Project,
    catalog: Catalog,
    folder: Path,
    table_versions: Mapping[str, int] | None = None,
    added: AddedImages | None = None,
) -> Candidate:
    """Select images, choose their labels, split them, and write the candidate.

    Args:
        project: says which images, which labels and which split.
        catalog: the project's tables.
        folder: an existing, empty folder to write to.
        table_versions: versions of the tables to read; the latest of those left out.
        added: images to take besides those of the project's query.

    Raises:
        DatasetError: nothing is selected, nothing is labelled, features were not computed or
            near-duplicates not searched, a group key is unknown, or a split or fold would have no
            labelled image.
    """
    given = table_versions or {}
    versions = {n: given[n] if n in given else catalog.table(n).version for n in TABLES_READ}
    query = select_images(catalog, project.dataset.query, table_versions=versions)
    if added is not None:
        query = query.with_images(added.image_ids)
    selected = len(query.image_ids)
    if not selected:
        raise DatasetError(
            f"No image of {project.name} meets its dataset query ({query.text}).",
            do="Ingest images and labels first, or change dataset.query in project.yaml.",
        )
    features = _features(catalog, query.image_ids, versions["image_features"])
    images = _rows_of(catalog, "images", features["image_id"], versions["images"])
    image_ids = images["image_id"].combine_chunks()
    rule = project.dataset.split
    near_duplicates = read_pairs(
        catalog, image_ids, distance=rule.near_duplicate_distance, versions=versions
    )
    ends = np.stack(
        [
            pc.index_in(near_duplicates[end], value_set=image_ids).to_numpy()
            for end in ("image_a", "image_b")
        ],
        axis=1,
    )
    bonds = bonds_of(
        len(images),
        pairs=ends,
        groups=_groups(project, catalog, image_ids, versions["image_metadata"]),
    )
    kept = kept_assignments(catalog, rule, image_ids, version=versions["split_assignments"])
    places, torn = places_of(
        official=images["split"], kept=kept["split"], kept_folds=kept["fold"], bonds=bonds
    )
    left_out = pa.concat_tables(
        [unreadable(query.image_ids, image_ids), bridges(image_ids, torn, bonds, places)]
    )
    if torn.any():
        rows = np.flatnonzero(~torn)
        near_duplicates = near_duplicates.filter(pa.array(~torn[ends].any(axis=1)))
        images, features = images.take(pa.array(rows)), features.take(pa.array(rows))
        image_ids = images["image_id"].combine_chunks()
        bonds, places = bonds.take(rows), places.take(rows)
    annotations = _labels(project, catalog, image_ids, versions["annotations"])
    assignment = assign_splits(
        image_ids=image_ids,
        labels=annotations,
        captured_at=images["captured_at"],
        bonds=bonds,
        places=places,
        rule=rule,
    )
    manifest = _manifest(images, annotations, near_duplicates, assignment)
    _require_labels_in_every_part(project, manifest)
    trained_on = image_ids.filter(pc.equal(assignment.splits, "train"))
    tables = {
        MANIFEST_FILE: manifest,
        ANNOTATIONS_FILE: annotations,
        NEAR_DUPLICATES_FILE: near_duplicates,
        LEFT_OUT_FILE: left_out.sort_by("image_id"),
    }
    for name, table in tables.items():
        write_table(table, folder / name)
    record = CandidateRecord(
        schema_id=SCHEMA_ID,
        digest=dataset_digest(manifest, annotations, split=rule),
        project=project.name,
        task=project.task,
        ontology=project.ontology,
        rule=rule,
        aggregation=project.annotations.aggregation,
        query=query.text,
        sql=query.sql,
        parameters=query.parameters,
        table_versions=versions,
        contents=summarize(manifest, annotations),
        near_duplicates=_kinds(near_duplicates),
        shortfalls=assignment.shortfalls,
        left_out=selected - len(torn),
        bridges=int(torn.sum()),
        corrective=added.corrective if added else None,
        statistics=fit_statistics(trained_on, features),
        files=hash_files(folder, tables),
    )
    write_record(record, folder / CANDIDATE_FILE)
    return Candidate(folder, record)


def _rows_of(catalog: Catalog, table: str, image_ids: pa.ChunkedArray, version: int) -> pa.Table:
    """The rows of a table on some images, sorted by ``image_id``."""
    rows = catalog.table(table).read(version=version)
    rows = rows.filter(pc.is_in(rows["image_id"], value_set=image_ids))
    return rows.sort_by("image_id")


def _features(catalog: Catalog, image_ids: pa.Array, version: int) -> pa.Table:
    """Measures of the images that have them, sorted by ``image_id``."""
    columns = ["image_id", *MEASURES]
    rows = catalog.table("image_features").read(columns=columns, version=version)
    rows = rows.filter(pc.is_in(rows["image_id"], value_set=image_ids))
    if not len(rows):
        raise DatasetError(
            f"None of the {len(image_ids)} selected images of {catalog.project} has features.",
            do=f"Run: cvp run {catalog.project} --select image_features",
        )
    return rows.sort_by("image_id")


def _labels(project: Project, catalog: Catalog, image_ids: pa.Array, version: int) -> pa.Table:
    """One annotator's, or the voted, labels of each image."""
    labels = aggregate(
        catalog.table("annotations").read(version=version),
        task=project.task,
        how=project.annotations.aggregation,
        image_ids=image_ids,
        models=project.annotations.model_labels,
    )
    if not len(labels):
        raise DatasetError(
            f"None of the {len(image_ids)} selected images of {project.name} has a label for"
            f" {project.task}.",
            do=f"Run: cvp run {project.name} --select annotation_exports; what was refused, and"
            " why, is in the quarantine.",
        )
    return labels


def _groups(
    project: Project, catalog: Catalog, image_ids: pa.Array, version: int
) -> list[pa.Array]:
    """For each group key the value of each image, or null."""
    keys = project.dataset.split.group_by
    if not keys:
        return []
    metadata = current_metadata(catalog, version=version)
    known = pc.unique(metadata["key"]).to_pylist()
    for key in keys:
        if key not in known:
            raise DatasetError(
                f"dataset.split.group_by of {project.name} names {key!r}, a metadata key that no"
                " image has.",
                do=nearest(key, known),
            )
    groups = []
    for key in keys:
        rows = metadata.filter(pc.equal(metadata["key"], key))
        at = pc.index_in(image_ids, value_set=rows["image_id"].combine_chunks())
        groups.append(rows["value"].combine_chunks().take(at))
    return groups


def _manifest(
    images: pa.Table,
    annotations: pa.Table,
    near_duplicates: pa.Table,
    assignment: SplitAssignment,
) -> pa.Table:
    image_ids = images["image_id"].combine_chunks()
    ends = [pc.index_in(near_duplicates[side], image_ids) for side in ("image_a", "image_b")]
    pairs = np.stack([end.to_numpy().astype(np.int64) for end in ends], axis=1)
    cluster = bonds_of(len(images), pairs=pairs).units()
    row = pc.index_in(annotations["image_id"], value_set=image_ids).to_numpy()
    objects = np.bincount(row, minlength=len(images))
    made = {
        "split": assignment.splits,
        "fold": assignment.folds,
        "cluster": image_ids.take(pa.array(cluster)),
        "unit": image_ids.take(pa.array(assignment.units)),
        "objects": pa.array(objects, pa.int32()),
        "labels_state": pa.array(np.where(objects > 0, "labelled", "empty").tolist()),
    }
    columns = [made[name] if name in made else images[name] for name in MANIFEST.names]
    return pa.Table.from_arrays(columns, schema=MANIFEST)


def _require_labels_in_every_part(project: Project, manifest: pa.Table) -> None:
    """Refuse a division of which a part could not be used at all."""
    rule = project.dataset.split
    labelled = manifest.filter(pc.equal(manifest["labels_state"], "labelled"))
    parts = {f"{s} split": pc.equal(labelled["split"], s) for s in SPLITS if rule.ratios.get(s)}
    first = 0 if rule.strategy == "time" else 1  # fold 0 is what the first is trained on
    for fold in range(first, rule.folds + 1 if rule.folds else first):
        parts[f"fold {fold} of {rule.folds}"] = pc.equal(labelled["fold"], fold)
    for part, inside in parts.items():
        if pc.any(inside).as_py():
            continue
        units = len(pc.unique(labelled["unit"]))
        untimed = labelled["captured_at"].null_count if rule.strategy == "time" else 0
        told = f" {untimed} have no capture time, and are for training." if untimed else ""
        raise DatasetError(
            f"The {part} of {project.name} would have no labelled image: there are"
            f" {len(labelled)}, in {units} groups that must stay together.{told}",
            do="Label more images, or set dataset.split.ratios and dataset.split.folds so that"
            " there are fewer parts; splits that the source declares are kept as they are.",
        )


def _kinds(near_duplicates: pa.Table) -> dict[str, int]:
    counts = near_duplicates["kind"].value_counts().to_pylist()
    return {c["values"]: c["counts"] for c in sorted(counts, key=lambda c: str(c["values"]))}
