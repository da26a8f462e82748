"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real sample archives, or a skip that says how to have them."""
    folder = Path(os.environ.get("CV_REAL_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "bccd.tar.gz").is_file():
        pytest.skip("set CV_REAL_DATA to the folder of bccd.tar.gz and cifar10n.tar.gz")
    return folder
