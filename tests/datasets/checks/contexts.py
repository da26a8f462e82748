"""Contexts for checks: a sound candidate, with one thing in it changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from cv_pipeline.datasets.candidate import build_candidate
from cv_pipeline.datasets.checks import CheckContext, load_context
from cv_pipeline.project import Project
from tests.datasets.world import World, make_project


def make_context(world: World, folder: Path, project: Project | None = None) -> CheckContext:
    """Build a candidate of a world and load what its checks need."""
    project = project or make_project()
    catalog = world.catalog(folder / "store")
    out = folder / "candidate"
    out.mkdir()
    build_candidate(project=project, catalog=catalog, folder=out)
    return load_context(project=project, catalog=catalog, folder=out)


def with_rows(
    context: CheckContext, table: str, change: Callable[[list[dict[str, Any]]], None]
) -> CheckContext:
    """The context with one of its tables changed."""
    rows: pa.Table = getattr(context, table)
    listed = rows.to_pylist()
    change(listed)
    loose = pa.schema([field.with_nullable(True) for field in rows.schema])
    changed = pa.Table.from_pylist(listed, schema=loose)
    return replace(context, **{table: changed})
