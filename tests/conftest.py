"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tiny_world import TinyWorld, copy_tiny_world, make_tiny_world

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real sample archives, or a skip that says how to have them."""
    folder = Path(os.environ.get("CV_REAL_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "bccd.tar.gz").is_file():
        pytest.skip("set CV_REAL_DATA to the folder of bccd.tar.gz and cifar10n.tar.gz")
    return folder


@pytest.fixture(scope="session")
def materialized_world(tmp_path_factory: pytest.TempPathFactory) -> TinyWorld:
    """A tiny world on which everything was run once; look, and do not touch."""
    world = make_tiny_world(tmp_path_factory.mktemp("materialized"))
    world.materialize()
    return world


@pytest.fixture
def own_world(materialized_world: TinyWorld, tmp_path: Path) -> TinyWorld:
    """A copy of the materialized world for one test."""
    return copy_tiny_world(materialized_world, tmp_path / "world")
