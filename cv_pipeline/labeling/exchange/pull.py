"""What annotators did since the last time, pulled: nothing is lost on the way, nothing doubled.

Only what has changed is read, by the tool's clock. Everything that was read is frozen under its
hash, and every state of every annotation goes into a history that is never changed. A pull that is
broken off anywhere leaves what it has; the next one takes the rest. Deletions, of annotations, of
tasks and of whole projects, are found and written down, never carried out.

The tool counts the tasks and annotations of all its projects in one answer, and batches that are
done or cancelled are asked for more only when their counts differ, and once a day.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow.compute as pc

from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import LabelingError, ToolDenied, ToolUnavailable
from cv_pipeline.labeling.batches.declared import advance
from cv_pipeline.labeling.exchange.findings import quarantine_annotations
from cv_pipeline.labeling.exchange.ledger import Pushed, pushed_projects
from cv_pipeline.labeling.exchange.people import record_people
from cv_pipeline.labeling.exchange.pulled_project import (
    PulledProject,
    lost_project,
    pull_project,
)
from cv_pipeline.labeling.exchange.push import PUSHABLE
from cv_pipeline.labeling.exchange.renewal import moved_batches
from cv_pipeline.labeling.exchange.shown_image import ShownImages
from cv_pipeline.labeling.exchange.turns import its_turn
from cv_pipeline.labeling.tool.image_addresses import ImageAddresses
from cv_pipeline.labeling.tool.inspector_address import images_base
from cv_pipeline.labeling.tool.label_studio import Counts, Tool
from cv_pipeline.project import Project
from cv_pipeline.settings import cv_home
from cv_pipeline.storage import ObjectStore

Progress = Callable[[int, int, str], None]

SWEEP_SECONDS = 5.0
"""How long a pull goes on looking at batches that are done, of those that it is time for."""
_UNCOUNTED = -1


@dataclass(frozen=True)
class PullReport:
    """What a pull brought.

    Attributes:
        project: name of our project.
        batches: what was read of each of the tool's projects that were looked at.
        at_rest: batches that are done, cancelled or gone, of which nothing but their counts was
            asked.
        failed: batch to why it could not be pulled; the others were.
        tasks: tasks that were read.
        states: states of annotations that are new.
        deleted_annotations: annotations that are gone, of those states.
        deleted_tasks: tasks that are gone since the last pull.
        quarantined: reason to how many tasks and annotations make no label.
        advanced: batch to the state that it has reached by this.
        moved: batches that can be pushed, and whose images the tool shows at another address than
            that of the inspector, so that nobody may see them; a push renews them.
        images_at: where annotators' browsers reach the inspector; empty where nothing was pushed.
        seconds: how long it took.
    """

    project: str
    batches: tuple[PulledProject, ...]
    at_rest: int
    failed: dict[str, str]
    tasks: int
    states: int
    deleted_annotations: int
    deleted_tasks: int
    quarantined: dict[str, int]
    advanced: dict[str, str]
    moved: tuple[str, ...]
    images_at: str
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
        pushed = pushed_projects(catalog)
        members = tool.members() if pushed else {}
        if pushed:
            record_people(catalog, project.labeling, members)
        accounts = {*members, *_accounts(catalog)}
        base = images_base(project) if pushed else None
        counts = _counts(pushed, project=project, tool=tool, lost=lost)
        for one in _looked_at(pushed, counts, whole=whole):
            found = counts.get(one.tool_project)
            try:
                if found is None:
                    pulled.append(lost_project(one, catalog=catalog))
                    continue
                shown = ShownImages(
                    ImageAddresses(cv_home()),
                    project=project.name,
                    batch=one.batch,
                    base=base,
                )
                pulled.append(
                    pull_project(
                        one,
                        found,
                        catalog=catalog,
                        store=store,
                        tool=tool,
                        accounts=accounts,
                        shown=shown,
                        whole=whole,
                        progress=progress,
                    )
                )
            except (ToolUnavailable, ToolDenied):
                raise
            except LabelingError as error:
                failed[one.batch] = str(error)
            except RecursionError:
                failed[one.batch] = (
                    f"Something that was labelled in project {one.tool_project} at {tool.url} is"
                    " nested too deeply to be read. Delete that annotation in Label Studio."
                )
        quarantined = quarantine_annotations(catalog) if pushed else {}
        advanced = advance(catalog) if pushed else {}
        states = {one.batch: one.state for one in pushed} | advanced
        open_ones = [batch for batch, state in states.items() if state in PUSHABLE]
        moved = moved_batches(catalog, base or "", among=open_ones)
        for name in ("labeling_tasks", "labeling_batches", "tool_annotations", "labeling_pulls"):
            catalog.table(name).optimize()
    return PullReport(
        project=project.name,
        batches=tuple(pulled),
        at_rest=len(pushed) - len(pulled) - len(failed),
        failed=failed,
        tasks=sum(one.tasks for one in pulled),
        states=sum(one.states for one in pulled),
        deleted_annotations=sum(one.deleted_annotations for one in pulled),
        deleted_tasks=sum(one.deleted_tasks for one in pulled),
        quarantined=quarantined,
        advanced=dict(advanced),
        moved=moved,
        images_at=base or "",
        seconds=time.monotonic() - began,
    )


def _counts(
    pushed: Sequence[Pushed], *, project: Project, tool: Tool, lost: bool
) -> dict[int, Counts]:
    """What the tool has of each of its projects of ours that are there.

    Raises:
        ToolUnavailable: none of them is there, and some should be.
    """
    counts = tool.counts() if pushed else {}
    missing = [one for one in pushed if one.tool_project not in counts and one.tasks]
    for one in missing:
        # it is gone only when the tool says so of itself: lists change while they are read
        found = tool.project(one.tool_project)
        if found is not None:
            counts[one.tool_project] = Counts(found.tasks, _UNCOUNTED)
    if missing and not any(one.tool_project in counts for one in pushed) and not lost:
        raise ToolUnavailable(
            f"None of the {len(pushed)} projects that {project.name} was pushed to is at"
            f" {tool.url}: it looks like another Label Studio.",
            do=f"Mend labeling.url; or, if they were deleted, run: cvp pull {project.name} --lost",
        )
    return counts


def _looked_at(
    pushed: Sequence[Pushed], counts: Mapping[int, Counts], *, whole: bool
) -> Iterator[Pushed]:
    """The projects to look at, those first in which somebody may be at work.

    Of the others it gives those that it is time for, the longest unseen first, as long as that does
    not take too long: the next pull goes on with them.
    """
    began = datetime.now(UTC)
    due: list[Pushed] = []
    for one in pushed:
        found = counts.get(one.tool_project)
        if found is None:
            if one.tasks or one.refused:  # else it is written down that it is gone
                yield one
        elif whole or not one.is_at_rest(found):
            yield one
        elif one.is_due(began):
            due.append(one)
    until = time.monotonic() + SWEEP_SECONDS
    for one in sorted(due, key=lambda one: (one.swept_at is not None, one.swept_at or began)):
        yield one
        if time.monotonic() > until:
            return


def _accounts(catalog: Catalog) -> list[int]:
    """Everybody who was ever seen to have an account in the tool."""
    people = catalog.table("tool_people").read(columns=["account", "present"])
    found: list[int] = people.filter(pc.is_valid(people["present"]))["account"].to_pylist()
    return found
