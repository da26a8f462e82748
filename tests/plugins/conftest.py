"""Distributions that are installed for one test: a module and its .dist-info on the path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.catalog.datalake_world import DatalakeWorld, make_datalake_world


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a distribution of one module: its name, its source, and its entry points by point."""
    made: list[str] = []

    def do(name: str, source: str, **points: Mapping[str, str]) -> None:
        site = tmp_path / f"site-{name}"
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        groups = [
            "\n".join([f"[cv_pipeline.{point}]", *(f"{k} = {v}" for k, v in entries.items())])
            for point, entries in points.items()
        ]
        (info / "entry_points.txt").write_text("\n\n".join(groups) + "\n")
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()
        made.append(name)

    yield do
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def lake_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatalakeWorld:
    """A project of six images, two of them labelled."""
    monkeypatch.setenv("CV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CV_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CV_PROJECTS", str(tmp_path / "projects"))
    return make_datalake_world(tmp_path)
