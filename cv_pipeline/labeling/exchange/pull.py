"""What annotators did since the last time, pulled: nothing is lost on the way, nothing doubled.

Only what has changed is read, by the tool's clock. Everything that was read is frozen under its
hash, and every state of every annotation goes into a history that is never changed. A pull that is
broken off anywhere leaves what it has; the next one takes the rest. Deletions, of annotations, of
tasks and of whole projects, are found and written down, never carried out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import LabelingError, ToolDenied, ToolUnavailable
from cv_pipeline.labeling.batches.declared import advance
from cv_pipeline.labeling.exchange.findings import quarantine_annotations
from cv_pipeline.labeling.exchange.pulled_project import (
    PulledProject,
    Pushed,
    lost_project,
    pull_project,
)
from cv_pipeline.labeling.exchange.turns import its_turn
from cv_pipeline.labeling.tool.label_studio import Tool
from cv_pipeline.project import Project
from cv_pipeline.storage import ObjectStore

Progress = Callable[[int, int, str], None]

_PUSHED = """
SELECT tool_project, min(batch) AS batch FROM labeling_tasks GROUP BY tool_project ORDER BY 1
"""


@dataclass(frozen=True)
class PullReport:
    """What a pull brought.

    Attributes:
        project: name of our project.
        batches: what was read of each of the tool's projects.
        failed: batch to why it could not be pulled; the others were.
        tasks: tasks that were read.
        states: states of annotations that are new.
        deleted_annotations: annotations that are gone, of those states.
        deleted_tasks: tasks that are gone since the last pull.
        quarantined: reason to how many tasks and annotations make no label.
        advanced: batch to the state that it has reached by this.
        seconds: how long it took.
    """

    project: str
    batches: tuple[PulledProject, ...]
    failed: dict[str, str]
    tasks: int
    states: int
    deleted_annotations: int
    deleted_tasks: int
    quarantined: dict[str, int]
    advanced: dict[str, str]
    seconds: float


def pull(
    project: Project,
    *,
    catalog: Catalog,
    store: ObjectStore,
    tool: Tool,
    whole: bool = False,
    lost: bool = False,
    progress: Progress | None = None,
) -> PullReport:
    """Pull what changed since the last time, of every batch that was pushed.

    Args:
        project: whose batches.
        catalog: the project's tables.
        store: where what was read is frozen.
        tool: Label Studio.
        whole: whether everything is read anew.
        lost: whether it is true that none of the tool's projects of ours is there any more, as it
            is when they were all deleted; else that is taken for another server.
        progress: is told how many of how many tasks were read.

    Raises:
        ToolUnavailable: the tool does not answer, or another server does.
        ToolDenied: it does not accept the token.
    """
    began = time.monotonic()
    pulled: list[PulledProject] = []
    failed: dict[str, str] = {}
    with its_turn(project.name):
        tool.version()
        pushed = _pushed(catalog)
        members = tool.members() if pushed else {}
        there = {one.tool_project: tool.project(one.tool_project) for one in pushed}
        if pushed and not any(there.values()) and not lost:
            raise ToolUnavailable(
                f"None of the {len(pushed)} projects that {project.name} was pushed to is at"
                f" {tool.url}: it looks like another Label Studio.",
                do="Mend labeling.url; or, if they were deleted, run:"
                f" cvp pull {project.name} --lost",
            )
        for one in pushed:
            found = there[one.tool_project]
            try:
                if found is None:
                    pulled.append(lost_project(one, catalog=catalog))
                    continue
                pulled.append(
                    pull_project(
                        one,
                        found,
                        catalog=catalog,
                        store=store,
                        tool=tool,
                        members=members,
                        whole=whole,
                        progress=progress,
                    )
                )
            except (ToolUnavailable, ToolDenied):
                raise
            except LabelingError as error:
                failed[one.batch] = str(error)
        quarantined = quarantine_annotations(catalog) if pushed else {}
        advanced = advance(catalog) if pushed else {}
    return PullReport(
        project=project.name,
        batches=tuple(pulled),
        failed=failed,
        tasks=sum(one.tasks for one in pulled),
        states=sum(one.states for one in pulled),
        deleted_annotations=sum(one.deleted_annotations for one in pulled),
        deleted_tasks=sum(one.deleted_tasks for one in pulled),
        quarantined=quarantined,
        advanced=dict(advanced),
        seconds=time.monotonic() - began,
    )


def _pushed(catalog: Catalog) -> list[Pushed]:
    relation = catalog.table("labeling_tasks").relation()
    rows = run_sql(_PUSHED, relations={"labeling_tasks": relation}).to_pylist()
    return [Pushed(**row) for row in rows]
