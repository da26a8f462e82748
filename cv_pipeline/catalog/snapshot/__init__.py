"""The snapshot: the lake at fixed table versions, laid out for queries."""

from __future__ import annotations

from cv_pipeline.catalog.snapshot.numbering import ids_digest
from cv_pipeline.catalog.snapshot.snapshot import (
    TABLES_READ,
    Snapshot,
    fixed_versions,
    open_snapshot,
)

__all__ = ["TABLES_READ", "Snapshot", "fixed_versions", "ids_digest", "open_snapshot"]
