"""Whether something changed in the annotation tool since the last pull: a look, and no more."""

from __future__ import annotations

import hashlib

import pyarrow.compute as pc

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.tool.label_studio import Tool

_PUSHED = """
SELECT tool_project, count(*) FILTER (state = 'pushed') AS live
FROM labeling_tasks GROUP BY tool_project ORDER BY tool_project
"""
_LENGTH = 16


def changes_in_tool(catalog: Catalog, tool: Tool) -> str:
    """What a pull would find, as a digest that is the same until something else changes.

    Args:
        catalog: the project's tables.
        tool: Label Studio.

    Returns:
        The digest; empty when nothing changed since the last pull.

    Raises:
        ToolUnavailable: the tool does not answer.
        ToolDenied: it does not accept the token.
    """
    relation = catalog.table("labeling_tasks").relation()
    pushed = run_sql(_PUSHED, relations={"labeling_tasks": relation}).to_pylist()
    found: list[str] = []
    for one in pushed:
        number = one["tool_project"]
        place = tool.project(number)
        if place is None:
            if one["live"]:
                found.append(f"{number} gone")
            continue
        pulls = catalog.table("labeling_pulls").read(
            columns=["cursor"], filter=pc.field("tool_project") == number
        )
        cursor = pc.max(pulls["cursor"]).as_py() if len(pulls) else None
        # the tool's filter compares whole microseconds, and the last change is no later one
        later = [] if cursor is None else [s.changed_at for s in tool.stubs(number, since=cursor)]
        if cursor is None or later:
            found.append(f"{number} {max(later).isoformat() if later else 'never pulled'}")
        elif place.tasks < one["live"]:
            found.append(f"{number} {place.tasks} tasks")
    if not found:
        return ""
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:_LENGTH]
