"""Rows that go for good: no file of a table and no earlier version of it holds them any more."""

from __future__ import annotations

from datetime import timedelta

import pyarrow.compute as pc

from cv_pipeline.catalog.tables import CatalogTable
from cv_pipeline.errors import CatalogError


def purge_rows(table: CatalogTable, predicate: pc.Expression) -> None:
    """Delete rows, and all earlier versions of the table with them.

    For tables that nothing cites a version of. What reads an earlier version at this moment may
    fail. Killed and run again, it ends the same. Files of a write that was killed are no part of
    any version; Lance removes them with the next clean-up after seven days.

    Raises:
        CatalogError: a tag keeps an earlier version, or others were writing at the same time.
    """
    table.delete(predicate)
    if table.version == 0:
        return
    dataset = table.relation()
    try:
        # deleted rows lie in their files until these are written anew, however few they are
        dataset.optimize.compact_files(materialize_deletions_threshold=0.0)
        dataset.cleanup_old_versions(older_than=timedelta(0))
    except OSError as error:
        text = str(error).lower()
        if "tagged" in text:
            raise CatalogError(
                f"Rows of table {table.name} cannot be purged, for a tag keeps an earlier version:"
                f" {error}.",
                do="Remove the tag: nothing may cite a version of this table.",
            ) from error
        if "conflict" in text or "concurrent" in text:
            raise CatalogError(
                f"Rows of table {table.name} could not be purged: others were writing it.",
                do="Run the command again.",
            ) from error
        raise
