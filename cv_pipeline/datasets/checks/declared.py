"""The expectations that a project declares on the tables of its candidates."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.lake import CURRENT_METADATA
from cv_pipeline.catalog.schemas import ANNOTATIONS, NEAR_DUPLICATES
from cv_pipeline.datasets.checks.expectation import Expectation
from cv_pipeline.datasets.manifest import MANIFEST
from cv_pipeline.datasets.statistics import MEASURES
from cv_pipeline.expectation_names import columns_of
from cv_pipeline.project import Project

METADATA_PREFIX = "metadata."
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "images": (*MANIFEST.names, *MEASURES),
    "annotations": tuple(ANNOTATIONS.names),
    "metadata": tuple(CURRENT_METADATA.names),
    "near_duplicates": tuple(NEAR_DUPLICATES.names),
}
"""Columns of each table."""


def declared(project: Project, table: str) -> list[Expectation]:
    """What a project expects of a table."""
    return [
        Expectation(
            _says(e.name, e.all_arguments),
            "".join(part.title() for part in e.name.split("_")),
            e.all_arguments,
        )
        for e in project.expectations.get(table, ())
    ]


def with_metadata(images: pa.Table, metadata: pa.Table, project: Project) -> pa.Table:
    """The images with a column ``metadata.KEY`` for each key that the project's expectations name.

    Args:
        images: a column ``image_id``.
        metadata: ``CURRENT_METADATA``.
        project: the project.
    """
    expected = project.expectations.get("images", ())
    named = {c for e in expected for c in columns_of(e.name, e.all_arguments)}
    for column in sorted(c for c in named if c.startswith(METADATA_PREFIX)):
        rows = metadata.filter(pc.equal(metadata["key"], column.removeprefix(METADATA_PREFIX)))
        at = pc.index_in(images["image_id"], value_set=rows["image_id"].combine_chunks())
        images = images.append_column(column, rows["value"].take(at))
    return images


def _says(name: str, arguments: Mapping[str, object]) -> str:
    """Such as ``width: values to be between, min_value 640``."""
    columns = columns_of(name, arguments)
    words = name.removeprefix("expect_").removeprefix("column_").replace("_", " ")
    rest = [f"{k} {v}" for k, v in sorted(arguments.items()) if k not in _COLUMN_ARGUMENTS]
    return f"{' and '.join(columns) or 'table'}: {', '.join([words, *rest])}"


_COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")
