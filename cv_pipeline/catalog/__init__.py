"""The catalogue: what is known of every image, as versioned tables, and how it gets there."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cv_pipeline.catalog.digest import combined_digest, table_digest
    from cv_pipeline.catalog.tables import Catalog, CatalogTable

__all__ = ["Catalog", "CatalogTable", "combined_digest", "table_digest"]

_HOMES = {
    "Catalog": "tables",
    "CatalogTable": "tables",
    "combined_digest": "digest",
    "table_digest": "digest",
}


def __getattr__(name: str) -> Any:
    """Import what is public when it is first used: a worker process needs nothing of it."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
