"""The demo world, generated once per test session."""

from __future__ import annotations

from pathlib import Path

import pytest

from cv_pipeline.samples import fruit
from tests.once import made_once


@pytest.fixture(scope="session")
def fruit_folder() -> Path:
    """Folder of the world of seed 0."""
    return made_once("samples", _generate) / "fruit"


def _generate(folder: Path) -> None:
    fruit.generate(folder / "fruit", seed=0, progress=lambda done, total, what: None)


@pytest.fixture(scope="session")
def truth(fruit_folder: Path) -> fruit.Truth:
    """What was planted in it."""
    return fruit.read_truth(fruit_folder)
