"""What an evaluation asks the lake about images, at the table versions of their dataset version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cv_pipeline.catalog.datalake.references import References
from cv_pipeline.catalog.datalake.selection import select
from cv_pipeline.catalog.query.text import condition_text
from cv_pipeline.catalog.snapshot import open_snapshot
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.datasets.record import MANIFEST_FILE
from cv_pipeline.evaluation.slicing.facts import DENSITY, MEASURES, Declared, Known
from cv_pipeline.project import Project


def known_images(
    project: Project,
    catalog: Catalog,
    *,
    dataset: Path,
    table_versions: Mapping[str, int],
    references: References | None = None,
) -> Known:
    """What is known of the images of a dataset version, and which the declared slices select.

    Descriptors are those of today: no version of their table is kept, so that a take-out can remove
    them, and one image has only ever one.

    Args:
        project: declares slices by query.
        catalog: the project's tables.
        dataset: folder of the dataset version.
        table_versions: versions to read.
        references: knows which folder a reference in a query means; by default the record of
            provenance.

    Raises:
        CatalogError: a version was cleaned up.
        QueryError: a declared query is not possible.
    """
    manifest = pq.read_table(dataset / MANIFEST_FILE, columns=["image_id"])
    ids = manifest["image_id"].combine_chunks()
    features = catalog.table("image_features").read(
        columns=["image_id", *MEASURES], version=table_versions["image_features"]
    )
    annotated = catalog.table("annotations").read(
        columns=["image_id"], version=table_versions["annotations"]
    )
    descriptors = catalog.table("signatures").read(columns=["image_id", "descriptor"])
    return Known(
        measures=features,
        descriptors=descriptors.filter(pc.is_in(descriptors["image_id"], value_set=ids)),
        annotations=annotated.group_by("image_id")
        .aggregate([([], "count_all")])
        .rename_columns(["image_id", DENSITY]),
        declared=declared_slices(
            project, catalog, table_versions=table_versions, references=references
        ),
    )


def declared_slices(
    project: Project,
    catalog: Catalog,
    *,
    table_versions: Mapping[str, int],
    references: References | None = None,
) -> dict[str, Declared]:
    """Answer the queries that a project declares as slices; arguments and errors as above."""
    queries = project.evaluation.slice_queries
    if not queries:
        return {}
    snapshot = open_snapshot(catalog, table_versions=table_versions)
    answers = {}
    for name, query in queries.items():
        node = query.to_ast()
        found = select(node, snapshot=snapshot, catalog=catalog, references=references)
        whole = node.where is not None and node.sample is None and node.limit is None
        answers[name] = Declared(
            query=condition_text(node.where) if whole and node.where else "",
            image_ids=pa.array(found.image_ids.to_pylist(), pa.string()),
        )
    return answers
