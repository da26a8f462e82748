"""The catalogue: what is known of every image, as versioned tables, and how it gets there."""

from __future__ import annotations

from cv_pipeline.catalog.digest import combined_digest, table_digest
from cv_pipeline.catalog.tables import Catalog, CatalogTable

__all__ = ["Catalog", "CatalogTable", "combined_digest", "table_digest"]
