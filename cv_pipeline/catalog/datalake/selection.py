"""The images that a query selects at fixed table versions.

A query compiles to one DuckDB statement over a snapshot, so it selects the same images in the same
order whenever it is asked again at those versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cv_pipeline.catalog.datalake.pinned_references import PinnedReferences
from cv_pipeline.catalog.datalake.references import RecordedReferences, References
from cv_pipeline.catalog.query import CompiledQuery, Parameter, QueryNode, compile_query
from cv_pipeline.catalog.query.checks import mentions, values_asked
from cv_pipeline.catalog.query.nodes import Comparison, Field, all_of
from cv_pipeline.catalog.snapshot import Snapshot, open_snapshot
from cv_pipeline.catalog.snapshot.referred import referred
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.dataset_query import Query
from cv_pipeline.errors import QueryError, nearest

_NOT_TAKEN_OUT = Comparison(Field("taken_out"), "=", False)


@dataclass(frozen=True, eq=False)
class Selection:
    """The images that a query selected, and how.

    Attributes:
        snapshot: what was asked.
        query: what it was asked.
        numbers: int32, the numbers of the images in their order, each once.
        pins: what the references in it meant; see :class:`PinnedReferences`.
    """

    snapshot: Snapshot
    query: CompiledQuery
    numbers: NDArray[np.int32]
    pins: Mapping[str, str] = field(default_factory=dict)

    @property
    def image_ids(self) -> pa.Array:
        """Image ids in their order: array of strings."""
        return self.snapshot.image_ids(self.numbers)

    def with_images(self, image_ids: pa.Array) -> Selection:
        """These images and some more, by ascending id; what the snapshot lacks is left out."""
        more = self.snapshot.numbering.find(image_ids)
        return replace(self, numbers=np.union1d(self.numbers, more[more >= 0]))

    @property
    def sql(self) -> str:
        """The statement that selected the images."""
        return self.query.sql

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Values that were bound in it, by name."""
        return self.query.parameters

    @property
    def text(self) -> str:
        """The query in its canonical text form."""
        return self.query.text

    @property
    def table_versions(self) -> dict[str, int]:
        """Table to the version that was read."""
        return self.snapshot.table_versions


def select(
    query: QueryNode,
    *,
    snapshot: Snapshot,
    catalog: Catalog,
    references: References | None = None,
    pins: Mapping[str, str] | None = None,
) -> Selection:
    """Ask a snapshot.

    Args:
        query: what to ask.
        snapshot: what to ask it of.
        catalog: the project's tables, for the likeness of images.
        references: knows which folder a reference means; by default the record of provenance.
        pins: what references meant when the query was asked before; the others mean what they do
            now.

    Raises:
        QueryError: the query is not possible, or names a batch that there was not.
        ProvenanceError: a reference is unknown.
    """
    compiled = compile_query(query)
    _check_batches(query, snapshot)
    relations = {n: r for n, r in snapshot.relations().items() if n in compiled.relations}
    known = PinnedReferences(references or RecordedReferences(catalog), pins)
    for reference in compiled.references:
        relations[reference.relation] = referred(
            reference, snapshot=snapshot, catalog=catalog, references=known
        )
    rows = run_sql(compiled.sql, relations=relations, parameters=compiled.parameters)
    numbers = rows["n"].to_numpy().astype(np.int32, copy=False)
    return Selection(snapshot, compiled, numbers, known.pins)


def select_images(
    catalog: Catalog,
    query: Query,
    *,
    table_versions: Mapping[str, int] | None = None,
    references: References | None = None,
) -> Selection:
    """Select the images of a dataset: those that meet its query, but none that was taken out.

    Args:
        catalog: the project's tables.
        query: ``dataset.query`` of the project.
        table_versions: versions to read, named in the result; the latest of those left out.
        references: as in :func:`select`.

    Returns:
        The images by ascending id, whatever order the query asks for.

    Raises:
        CatalogError: a version was cleaned up or never existed.
        QueryError: the query is not possible.
        ProvenanceError: a reference is unknown.
    """
    node = query.to_ast()
    if node.where and mentions(node.where, "taken_out", "taken_out_at"):
        node = replace(node, where=all_of([node.where, _NOT_TAKEN_OUT]))
    found = select(
        node,
        snapshot=open_snapshot(catalog, table_versions=table_versions),
        catalog=catalog,
        references=references,
    )
    return replace(found, numbers=np.sort(found.numbers))


def _check_batches(query: QueryNode, snapshot: Snapshot) -> None:
    """Refuse names of batches that there are none of: a mistyped one would look like an empty one.

    Raises:
        QueryError: there is none of such a name; the message names the nearest.
    """
    asked = values_asked(query.where, "set_aside")
    if not asked:
        return
    known = snapshot.set_aside["name"].unique().to_pylist()
    for name in asked:
        if name not in known:
            raise QueryError(
                f"No images of {snapshot.project} were set aside as {name!r}, as of version"
                f" {snapshot.table_versions['image_batches']} of its batches.",
                do=nearest(str(name), known)
                if known
                else f"Set some aside first: cvp set-aside {snapshot.project} QUERY --name {name}",
            )
