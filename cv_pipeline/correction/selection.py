"""The images of a corrective record that can be learned from, as of some labels.

The query is asked again at the table versions of the run, so images that were labelled since the
record was declared are among them. References in it keep the meaning that they had then.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.datalake.selection import select
from cv_pipeline.catalog.query import parse
from cv_pipeline.catalog.snapshot import open_snapshot
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.correction.record import CorrectiveRecord


def selected_images(
    catalog: Catalog, record: CorrectiveRecord, *, table_versions: Mapping[str, int]
) -> pa.Array:
    """Ids of the images that a record selects, with labels and not taken out, sorted.

    Args:
        catalog: the project's tables.
        record: what selects them.
        table_versions: versions to read; the latest of those left out.

    Raises:
        CatalogError: a version was cleaned up.
        QueryError: the query is not possible any more.
        ProvenanceError: a reference in it is unknown.
    """
    if record.selection is None:
        return pa.array([], pa.string())
    found = select(
        parse(record.selection.query),
        snapshot=open_snapshot(catalog, table_versions=table_versions),
        catalog=catalog,
        pins=record.selection.pins,
    )
    images = found.snapshot.images
    usable = pc.and_(
        pc.greater(images["annotations_count"], 0), pc.invert(images["taken_out"])
    ).to_numpy()
    numbers = found.numbers[usable[found.numbers]]
    return found.snapshot.image_ids(numbers).sort()
