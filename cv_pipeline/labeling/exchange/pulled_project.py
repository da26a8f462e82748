"""One of the tool's projects, pulled: what changed is read, and what is gone is found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa

from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.catalog.schemas import LABELING_PULLS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import LabelingError
from cv_pipeline.labeling.exchange.findings import (
    MOST,
    field_of,
    file_of,
    quarantine_tasks,
    quarantined_tasks,
    task_of,
)
from cv_pipeline.labeling.exchange.frozen import Frozen
from cv_pipeline.labeling.exchange.history import History, id_of
from cv_pipeline.labeling.exchange.ledger import Pushed
from cv_pipeline.labeling.exchange.pushed_tasks import PushedTasks
from cv_pipeline.labeling.exchange.shown_image import ShownImages
from cv_pipeline.labeling.tool.label_studio import Counts, Stub, Tool
from cv_pipeline.storage import ObjectStore

OVERLAP = timedelta(seconds=30)
"""How far before the last change that was seen a pull begins: what was being written then, and so
was not to be seen, has a time of before."""
CLOCK_SECOND = timedelta(seconds=1)
"""How exactly the tool says what time it has."""
_SAMPLE = 20

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class PulledProject:
    """What was pulled of one of the tool's projects.

    Attributes:
        tool_project: id of it.
        batch: batch that it holds.
        tasks: tasks that were read.
        states: states of annotations that are new.
        deleted_annotations: annotations that are gone, of those states.
        deleted_tasks: tasks that are gone since the last pull.
        foreign_tasks: tasks that are there and that no push made.
        whole: whether every task was looked at, and not only those that had changed.
        frozen: key of what was read, in the object store; empty when nothing was.
    """

    tool_project: int
    batch: str
    tasks: int
    states: int
    deleted_annotations: int
    deleted_tasks: int
    foreign_tasks: int
    whole: bool
    frozen: str


def pull_project(
    pushed: Pushed,
    found: Counts,
    *,
    catalog: Catalog,
    store: ObjectStore,
    tool: Tool,
    accounts: Collection[int],
    shown: ShownImages,
    whole: bool = False,
    progress: Progress | None = None,
) -> PulledProject:
    """Pull one of the tool's projects.

    Args:
        pushed: which, and what is written down of it.
        found: what the tool says that it has.
        catalog: our project's tables.
        store: where what was read is frozen.
        tool: Label Studio.
        accounts: ids of everybody who has or had an account there.
        shown: tells which images its tasks show.
        whole: whether everything is read anew.
        progress: is told how many of how many tasks were read.

    Raises:
        LabelingError: the project of that number is another one, or a task of it cannot be read.
        ToolUnavailable: the tool does not answer; what was read until then is kept.
    """
    run = _Pull(pushed, catalog=catalog, store=store, tool=tool, accounts=accounts, shown=shown)
    return run.run(found, whole=whole, progress=progress)


def lost_project(pushed: Pushed, *, catalog: Catalog) -> PulledProject:
    """Write down that one of the tool's projects is gone, with all of its tasks."""
    tasks = PushedTasks(catalog, pushed.tool_project)
    history = History(catalog, pushed.tool_project, pushed.batch)
    gone = sorted(tasks.live)
    deleted = history.drop_tasks(gone)
    tasks.delete(gone)
    refused = quarantined_tasks(catalog, pushed.tool_project)
    quarantine_tasks(catalog, pushed.tool_project, [], tasks=refused)
    return PulledProject(
        tool_project=pushed.tool_project,
        batch=pushed.batch,
        tasks=0,
        states=deleted,
        deleted_annotations=deleted,
        deleted_tasks=len(gone),
        foreign_tasks=0,
        whole=True,
        frozen="",
    )


class _Pull:
    """One of the tool's projects, while it is pulled."""

    def __init__(
        self,
        pushed: Pushed,
        *,
        catalog: Catalog,
        store: ObjectStore,
        tool: Tool,
        accounts: Collection[int],
        shown: ShownImages,
    ) -> None:
        self._pushed = pushed
        self._number = pushed.tool_project
        self._catalog = catalog
        self._tool = tool
        self._accounts = accounts
        self._shown = shown
        self._frozen = Frozen(
            store, project=catalog.project, tool_project=self._number, batch=pushed.batch
        )
        self._began = datetime.now(UTC)
        self._read = self._states = self._deletions = self._foreign = self._bad = 0

    @cached_property
    def _tasks(self) -> PushedTasks:
        # where nothing changed, nobody needs to know them
        return PushedTasks(self._catalog, self._number)

    @cached_property
    def _history(self) -> History:
        return History(self._catalog, self._number, self._pushed.batch)

    def run(self, found: Counts, *, whole: bool, progress: Progress | None) -> PulledProject:
        cursor = self._pushed.cursor
        is_due = self._pushed.is_due(self._began)
        is_whole = whole or is_due or cursor is None or self._is_set_back(cursor)
        since = None if is_whole or cursor is None else cursor - OVERLAP
        stubs = list(self._tool.stubs(self._number, since=since))
        if is_whole:
            self._require_ours(stubs)
        self._read_changed(stubs, every=whole, progress=progress)
        gone: list[int] = []
        if is_whole or self._hides_something(stubs, found):
            listed = stubs if is_whole else list(self._tool.stubs(self._number))
            if not is_whole:
                self._require_ours(listed)
                self._read_changed(listed, every=False, progress=progress)
            gone = self._reconcile(listed)
            is_whole = True
            stubs = listed
        seen = [stub.changed_at for stub in stubs]
        latest = max([*seen, *([cursor] if cursor else [])], default=None)
        frozen = self._frozen.finish()
        if self._read or self._states or (is_whole and is_due):
            self._write_down(latest, whole=is_whole, frozen=frozen)
        return PulledProject(
            tool_project=self._number,
            batch=self._pushed.batch,
            tasks=self._read,
            states=self._states,
            deleted_annotations=self._deletions,
            deleted_tasks=len(gone),
            foreign_tasks=self._foreign,
            whole=is_whole,
            frozen=frozen,
        )

    def _is_set_back(self, cursor: datetime) -> bool:
        """Whether the tool's clock was set back, so that its times do not tell what is new."""
        now = self._tool.clock()
        return now is not None and now + CLOCK_SECOND < cursor

    def _hides_something(self, stubs: Sequence[Stub], found: Counts) -> bool:
        """Whether what changed since the last pull, by the tool's clock, may not be all.

        A task that is gone leaves no trace but in the number of tasks; one more, which would hide
        it, has just changed. A task that was made by a push that was killed, and was written down
        by a later one, may have changed before the last pull; and so may anything by a clock that
        goes wrong.
        """
        if stubs:
            live, is_unread = len(self._tasks.live), bool(self._tasks.unread)
        else:
            live, is_unread = self._pushed.tasks, self._pushed.unread > 0
        reasons = {task_of(field): reason for field, reason in self._pushed.refused.items()}
        foreign = {task for task, reason in reasons.items() if reason == "unknown_task"}
        if is_unread or found.tasks != live + len(foreign):
            return True
        looked_at = {stub.id for stub in stubs} | reasons.keys()
        if any(task not in self._tasks.known for task in looked_at - foreign):
            return True
        if foreign:  # whatever is labelled there is counted too, and read by nobody
            return not foreign.isdisjoint(self._tasks.known)
        known = self._history.live if self._read else self._pushed.annotations
        bad = list(self._pushed.refused.values()).count("bad_annotation") + self._bad
        # fewer than are known may have been deleted, or not been there yet when they were counted
        return found.annotations > known + bad

    def _require_ours(self, stubs: Sequence[Stub]) -> None:
        """See that the project of this number is the one that the batch was pushed to.

        Raises:
            LabelingError: it is another one, as on another server.
        """
        live = sorted(self._tasks.live)
        if not live or not stubs:
            return
        there = {stub.id for stub in stubs}
        sample = [task for task in live if task in there][:_SAMPLE]
        for page in self._tool.tasks(self._number, sample):
            # wherever they are fetched from, which is looked at task by task
            if any(_image_id(task) == self._tasks.images[task["id"]] for task in page):
                return
        raise LabelingError(
            f"Project {self._number} at {self._tool.url} is not the one that batch"
            f" {self._pushed.batch!r} was pushed to: it has none of its tasks.",
            do="Mend labeling.url, or see whether somebody deleted every task there.",
        )

    def _read_changed(
        self, stubs: Sequence[Stub], *, every: bool, progress: Progress | None
    ) -> None:
        """Read the tasks that are not as the last pull saw them, and keep what they say."""
        refused = self._pushed.refused.items()
        # a push may have mended these, and their times say nothing of it
        again = {task_of(field) for field, reason in refused if reason == "changed_image"}
        changed = {
            s.id: s for s in stubs if every or s.id in again or not self._tasks.is_unchanged(s)
        }
        ours = [task for task in changed if task in self._tasks.images]
        if not ours:
            return
        done = 0
        for page in self._tool.tasks(self._number, ours):
            self._keep(page, changed)
            done += len(page)
            if progress is not None:
                progress(done, len(ours), "tasks")

    def _keep(self, page: list[dict[str, Any]], stubs: Mapping[int, Stub]) -> None:
        self._frozen.add(page)
        refusals: list[Refusal] = []
        told = []
        for task in page:
            number = task["id"]
            listed = self._annotations_of(task)
            if not self._is_as_pushed(task):
                refusals.append(self._changed_image(task))
            refusals += self._unknown(number, listed)
            told.append((number, self._tasks.images[number], stubs[number].changed_at, listed))
        news = self._history.news(told)
        refusals += [
            self._refusal(task, annotation, "bad_annotation", reason)
            for task, annotation, reason in news.bad
        ]
        numbers = [task["id"] for task in page]
        # first, for what is refused when it is first seen must not have been seen without that
        quarantine_tasks(self._catalog, self._number, refusals, tasks=numbers)
        states, deletions = self._history.write(news)
        # last, for only then they need not be read again
        self._tasks.see([stubs[number] for number in numbers])
        self._read += len(page)
        self._states += states
        self._deletions += deletions
        self._bad += len(news.bad)

    def _annotations_of(self, task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """What was labelled on a task.

        Raises:
            LabelingError: the tool does not say, which must not count as nothing.
        """
        annotations = task.get("annotations")
        if not isinstance(annotations, list) or not all(isinstance(a, dict) for a in annotations):
            raise LabelingError(
                f"Label Studio at {self._tool.url} says nothing of the annotations of task"
                f" {task['id']} that can be read.",
                do="See that its version is one of those that docs/labeling/tool.md names.",
            )
        return annotations

    def _is_as_pushed(self, task: Mapping[str, Any]) -> bool:
        """Whether a task shows the image that it was pushed with."""
        return self._shows(task) == self._tasks.images[task["id"]]

    def _shows(self, task: Mapping[str, Any]) -> object:
        return self._shown.of(task, pushed=self._tasks.addresses[task["id"]])

    def _changed_image(self, task: Mapping[str, Any]) -> Refusal:
        number = task["id"]
        pushed, shown = self._tasks.images[number], str(self._shows(task))
        return self._refusal(
            number,
            None,
            "changed_image",
            f"It was pushed to show image {pushed[:12]}, and shows {shown[:60]!r} now: what"
            " was labelled there may be about another picture. Delete it, and push with --again.",
        )

    def _unknown(self, task: int, annotations: Sequence[Mapping[str, Any]]) -> list[Refusal]:
        """Refusals of annotations of accounts that there are not, when first seen."""
        refusals = []
        for told in annotations:
            who, annotation = id_of(told.get("completed_by")), told.get("id")
            known = isinstance(annotation, int) and self._history.is_known(annotation)
            reason = self._pushed.refused.get(field_of(task, annotation))
            # who has left since labelled all the same
            if who not in self._accounts and (not known or reason == "unknown_account"):
                refusals.append(
                    self._refusal(
                        task,
                        annotation,
                        "unknown_account",
                        f"It is said to be of account {who!r:.40}, and there is no such account.",
                    )
                )
        return refusals

    def _reconcile(self, stubs: Sequence[Stub]) -> list[int]:
        """Find tasks that are gone, and tasks that no push made; returns the first."""
        there = {stub.id for stub in stubs}
        gone = sorted(self._tasks.live - there)
        if gone:
            deleted = self._history.drop_tasks(gone)
            self._tasks.delete(gone)
            self._states += deleted
            self._deletions += deleted
        foreign = sorted(there - self._tasks.known)
        self._foreign = len(foreign)
        refusals = [
            self._refusal(
                task,
                None,
                "unknown_task",
                "No push made it, so nothing is known of what it shows. Set the image aside and"
                " push it; if a push was broken off, push the batch once more.",
            )
            for task in foreign[:MOST]
        ]
        others = quarantined_tasks(self._catalog, self._number) | set(foreign) | set(gone)
        quarantine_tasks(self._catalog, self._number, refusals, tasks=others - self._tasks.live)
        return gone

    def _refusal(self, task: int, annotation: object, reason: str, detail: str) -> Refusal:
        return Refusal(file_of(self._number), field_of(task, annotation), reason, detail)

    def _write_down(self, cursor: datetime | None, *, whole: bool, frozen: str) -> None:
        row = {
            "tool_project": self._number,
            "batch": self._pushed.batch,
            "cursor": cursor,
            "whole": whole,
            "tasks": self._read,
            "states": self._states,
            "frozen": frozen,
            "at": self._began,
        }
        self._catalog.table("labeling_pulls").append(
            pa.Table.from_pylist([row], schema=LABELING_PULLS)
        )


def _image_id(task: Mapping[str, Any]) -> object:
    data = task.get("data")
    return data.get("image_id") if isinstance(data, dict) else None
