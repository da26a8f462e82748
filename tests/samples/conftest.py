"""The demo world, generated once per test session."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.samples import fruit


@pytest.fixture(scope="session")
def fruit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the world of seed 0."""
    folder = tmp_path_factory.mktemp("samples") / "fruit"
    fruit.generate(folder, seed=0, progress=lambda done, total, what: None)
    return folder


@pytest.fixture(scope="session")
def truth(fruit_folder: Path) -> fruit.Truth:
    """What was planted in it."""
    return fruit.read_truth(fruit_folder)
