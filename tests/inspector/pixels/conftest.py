"""A project of pictures of many kinds, ingested once, and an inspector over a copy of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inspector.pixels.pictured import Pictured, make_template, opened


@pytest.fixture(scope="session")
def pictured_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The project, to be copied."""
    folder = tmp_path_factory.mktemp("pictured")
    return folder, make_template(folder)


@pytest.fixture
def pictured(pictured_template: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[Pictured]:
    """An inspector of its own for one test."""
    folder, ids = pictured_template
    shutil.copytree(folder, tmp_path / "world")
    with opened(tmp_path / "world", ids) as found:
        yield found
