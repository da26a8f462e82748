"""Whether something changed in the annotation tool since the last pull: a look, and no more.

It asks once for the counts of all projects, and then of each batch in which somebody may be at work
what changed there. Those that are done or cancelled, and count as they did, are asked as well when
a pull would list them again, each in a minute of the day of its own.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange.ledger import Pushed, pushed_projects
from cv_pipeline.labeling.tool.label_studio import Counts, Tool

_LENGTH = 16
_MINUTES = 24 * 60


def changes_in_tool(catalog: Catalog, tool: Tool, *, now: datetime | None = None) -> str:
    """What a pull would find, as a digest that is the same until something else changes.

    Args:
        catalog: the project's tables.
        tool: Label Studio.
        now: the moment, which tells which of the batches at rest are asked; the present by default.

    Returns:
        The digest; empty when nothing changed since the last pull.

    Raises:
        ToolUnavailable: the tool does not answer.
        ToolDenied: it does not accept the token.
    """
    pushed = pushed_projects(catalog)
    counts = tool.counts() if pushed else {}
    now = now or datetime.now(UTC)
    minute = 60 * now.hour + now.minute
    found: list[str] = []
    for one in pushed:
        place = counts.get(one.tool_project)
        if place is None:
            if one.tasks and tool.project(one.tool_project) is None:
                found.append(f"{one.tool_project} gone")
        elif not one.is_at_rest(place) or (
            # a pull would look there too, and not before
            one.is_due(now) and one.tool_project % _MINUTES == minute
        ):
            found += _changes(one, place, tool)
    if not found:
        return ""
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:_LENGTH]


def _changes(pushed: Pushed, found: Counts, tool: Tool) -> list[str]:
    number, cursor = pushed.tool_project, pushed.cursor
    if pushed.unread or (cursor is None and found.tasks):
        return [f"{number} {pushed.unread} never pulled"]
    # the tool's filter compares whole microseconds, and the last change is no later one
    later = [s.changed_at for s in tool.stubs(number, since=cursor)] if cursor else []
    if later:
        return [f"{number} {max(later).isoformat()}"]
    return [f"{number} {found.tasks} tasks"] if found.tasks < pushed.tasks else []
