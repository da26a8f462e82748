"""What earlier pushes and pulls wrote down of the tool's projects, read once for all of them.

So a pull of a project with a thousand batches reads each table once, and asks the tool only about
the batches in which something may have changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow.compute as pc

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.labeling.batches.declared import declared_batches
from cv_pipeline.labeling.exchange.findings import OF_TASKS, STAGE, tool_project_of
from cv_pipeline.labeling.exchange.history import LATEST_FIRST
from cv_pipeline.labeling.tool.label_studio import Counts

SWEEP = timedelta(days=1)
"""How often every task of a batch is listed, whatever its state and the tool's clock say."""
AT_REST = ("done", "cancelled")
"""States of batches in which nobody is at work."""

_PUSHED = f"""
WITH tasks AS (
    SELECT tool_project, min(batch) AS batch, count(*) FILTER (state <> 'deleted') AS tasks,
        count(*) FILTER (state <> 'deleted' AND changed_at IS NULL) AS unread
    FROM labeling_tasks GROUP BY tool_project
),
pulls AS (
    SELECT tool_project, max("cursor") AS "cursor", max("at") FILTER (whole) AS swept_at
    FROM labeling_pulls GROUP BY tool_project
),
states AS (
    SELECT tool_project, deleted FROM tool_annotations
    QUALIFY 1 = row_number() OVER (PARTITION BY tool_project, annotation ORDER BY {LATEST_FIRST})
),
live AS (
    SELECT tool_project, count(*) AS annotations FROM states WHERE NOT deleted GROUP BY ALL
)
SELECT t.tool_project, t.batch, t.tasks, t.unread, coalesce(l.annotations, 0) AS annotations,
    p."cursor", p.swept_at
FROM tasks AS t
LEFT JOIN pulls AS p ON p.tool_project = t.tool_project
LEFT JOIN live AS l ON l.tool_project = t.tool_project
ORDER BY t.tool_project
"""  # noqa: S608 - of constants


@dataclass(frozen=True)
class Pushed:
    """One of the tool's projects that a batch was pushed to, as it is written down.

    Attributes:
        tool_project: id of it.
        batch: batch that it holds.
        tasks: tasks that were there when it was last looked at.
        unread: tasks of those that no pull has read yet.
        annotations: annotations that were there when it was last looked at.
        cursor: latest change that was seen, by the tool's clock; None before the first pull.
        swept_at: when every task was last listed, by our clock; None for never.
        state: of the batch, as it was declared.
        refused: place to reason, of the tasks and annotations that were refused when they were
            read.
    """

    tool_project: int
    batch: str
    tasks: int
    unread: int
    annotations: int
    cursor: datetime | None
    swept_at: datetime | None
    state: str
    refused: Mapping[str, str]

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to list every task again."""
        # a clock that was set back must not put it off for ever
        return self.swept_at is None or not timedelta() <= now - self.swept_at < SWEEP

    def is_at_rest(self, found: Counts) -> bool:
        """Whether nobody is at work there, and the tool has what was seen last."""
        return (
            self.state in AT_REST
            and not self.unread
            and self.cursor is not None
            and (found.tasks, found.annotations) == (self.tasks, self.annotations)
        )


def pushed_projects(catalog: Catalog) -> tuple[Pushed, ...]:
    """Every one of the tool's projects that a batch was pushed to, by id."""
    names = ("labeling_tasks", "labeling_pulls", "tool_annotations")
    relations = {name: catalog.table(name).relation() for name in names}
    rows = run_sql(_PUSHED, relations=relations).to_pylist()
    declared = declared_batches(catalog) if rows else {}
    refused = _refused(catalog) if rows else {}
    found = []
    for row in rows:
        told = declared.get(row["batch"])
        state = told.state if told else "open"
        found.append(Pushed(**row, state=state, refused=refused.get(row["tool_project"], {})))
    return tuple(found)


def _refused(catalog: Catalog) -> dict[int, dict[str, str]]:
    rows = catalog.table("quarantine").read(
        columns=["file", "field", "reason"],
        filter=(pc.field("stage") == STAGE) & one_of("reason", OF_TASKS),
    )
    found: dict[int, dict[str, str]] = {}
    for row in rows.to_pylist():
        found.setdefault(tool_project_of(row["file"]), {})[row["field"]] = row["reason"]
    return found
