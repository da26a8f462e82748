"""A catalogue to test on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.storage import open_store


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """An empty catalogue in a local folder."""
    return Catalog(open_store(str(tmp_path / "store")), "fruit")
