"""One of the tool's projects, pulled: what changed is read, and what is gone is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.quarantine import Refusal
from cv_pipeline.catalog.schemas import LABELING_PULLS, LABELING_TASKS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.errors import LabelingError
from cv_pipeline.labeling.exchange.findings import (
    MOST,
    field_of,
    file_of,
    quarantine_tasks,
    quarantined_tasks,
    refused_accounts,
)
from cv_pipeline.labeling.exchange.frozen import Frozen
from cv_pipeline.labeling.exchange.history import History
from cv_pipeline.labeling.tool.label_studio import Stub, Tool, ToolProject
from cv_pipeline.storage import ObjectStore

OVERLAP = timedelta(seconds=30)
"""How far before the last change that was seen a pull begins: what was being written then, and so
was not to be seen, has a time of before."""
_SAMPLE = 20

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Pushed:
    """One of the tool's projects that a batch was pushed to."""

    tool_project: int
    batch: str


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
    found: ToolProject,
    *,
    catalog: Catalog,
    store: ObjectStore,
    tool: Tool,
    members: Mapping[int, str],
    whole: bool = False,
    progress: Progress | None = None,
) -> PulledProject:
    """Pull one of the tool's projects.

    Args:
        pushed: which, and its batch.
        found: what the tool says of it.
        catalog: our project's tables.
        store: where what was read is frozen.
        tool: Label Studio.
        members: ids of everybody who has an account there.
        whole: whether everything is read anew.
        progress: is told how many of how many tasks were read.

    Raises:
        LabelingError: the project of that number is another one.
        ToolUnavailable: the tool does not answer; what was read until then is kept.
    """
    run = _Pull(pushed, catalog=catalog, store=store, tool=tool, members=members)
    return run.run(found, whole=whole, progress=progress)


def lost_project(pushed: Pushed, *, catalog: Catalog) -> PulledProject:
    """Write down that one of the tool's projects is gone, with all of its tasks."""
    tasks = _Tasks(catalog, pushed)
    history = History(catalog, pushed.tool_project, pushed.batch)
    gone = sorted(tasks.live)
    deleted = history.drop_tasks(gone)
    tasks.delete(gone)
    quarantine_tasks(catalog, pushed.tool_project, [], tasks=tasks.known)
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


class _Tasks:
    """The tasks that were pushed to one of the tool's projects."""

    def __init__(self, catalog: Catalog, pushed: Pushed) -> None:
        self._table = catalog.table("labeling_tasks")
        self._rows = self._table.read(filter=pc.field("tool_project") == pushed.tool_project)
        numbers = self._rows["task"].to_pylist()
        self._place = {task: i for i, task in enumerate(numbers)}
        self.images: dict[int, str] = dict(
            zip(numbers, self._rows["image_id"].to_pylist(), strict=True)
        )
        states = dict(zip(numbers, self._rows["state"].to_pylist(), strict=True))
        self.live = {task for task, state in states.items() if state != "deleted"}
        self._changed: dict[int, datetime | None] = dict(
            zip(numbers, self._rows["changed_at"].to_pylist(), strict=True)
        )

    @property
    def known(self) -> Set[int]:
        """Every task that was ever pushed there."""
        return self._place.keys()

    def is_unchanged(self, stub: Stub) -> bool:
        """Whether a task is as the last pull saw it."""
        return stub.id in self.live and self._changed.get(stub.id) == stub.changed_at

    def see(self, stubs: Sequence[Stub]) -> None:
        """Write down that tasks were read as of when they changed."""
        known = [stub for stub in stubs if stub.id in self._place]
        self._merge(
            [stub.id for stub in known], "pushed", changed=[stub.changed_at for stub in known]
        )
        self.live.update(stub.id for stub in known)
        self._changed.update({stub.id: stub.changed_at for stub in known})

    def delete(self, tasks: Sequence[int]) -> None:
        """Write down that tasks are gone."""
        self._merge(tasks, "deleted")
        self.live.difference_update(tasks)

    def _merge(
        self, tasks: Sequence[int], state: str, *, changed: list[datetime] | None = None
    ) -> None:
        if not tasks:
            return
        rows = self._rows.take(pa.array([self._place[task] for task in tasks]))
        new = {"state": pa.repeat(state, len(rows))}
        if changed is not None:
            new["changed_at"] = pa.array(changed, LABELING_TASKS.field("changed_at").type)
        columns = [new.get(name, rows[name]) for name in LABELING_TASKS.names]
        self._table.merge(pa.table(columns, schema=LABELING_TASKS), on=self._table.key)


class _Pull:
    """One of the tool's projects, while it is pulled."""

    def __init__(
        self,
        pushed: Pushed,
        *,
        catalog: Catalog,
        store: ObjectStore,
        tool: Tool,
        members: Mapping[int, str],
    ) -> None:
        self._pushed = pushed
        self._number = pushed.tool_project
        self._catalog = catalog
        self._tool = tool
        self._members = members
        self._tasks = _Tasks(catalog, pushed)
        self._history = History(catalog, self._number, pushed.batch)
        self._unknown_accounts = refused_accounts(catalog, self._number)
        self._frozen = Frozen(
            store, project=catalog.project, tool_project=self._number, batch=pushed.batch
        )
        self._began = datetime.now(UTC)
        self._read = self._states = self._deletions = self._foreign = 0

    def run(self, found: ToolProject, *, whole: bool, progress: Progress | None) -> PulledProject:
        cursor = self._cursor()
        is_whole = whole or cursor is None
        since = None if is_whole or cursor is None else cursor - OVERLAP
        stubs = list(self._tool.stubs(self._number, since=since))
        if is_whole:
            self._require_ours(stubs)
        self._read_changed(stubs, every=whole, progress=progress)
        gone: list[int] = []
        # one that is gone leaves no trace but in the number of tasks, which one more may hide
        has_foreign = any(stub.id not in self._tasks.known for stub in stubs)
        has_foreign |= bool(quarantined_tasks(self._catalog, self._number) - self._tasks.known)
        if is_whole or has_foreign or found.tasks != len(self._tasks.live):
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

    def _cursor(self) -> datetime | None:
        rows = self._catalog.table("labeling_pulls").read(
            columns=["cursor"], filter=pc.field("tool_project") == self._number
        )
        latest: datetime | None = pc.max(rows["cursor"]).as_py() if len(rows) else None
        return latest

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
            if any(self._image_of(task) == self._tasks.images[task["id"]] for task in page):
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
        changed = {s.id: s for s in stubs if every or not self._tasks.is_unchanged(s)}
        ours = [task for task in changed if task in self._tasks.images]
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
            annotations = task.get("annotations")
            listed = [a for a in annotations if isinstance(a, dict)] if annotations else []
            image = self._image_of(task)
            if image != self._tasks.images[number]:
                refusals.append(self._changed_image(number, image))
            refusals += self._unknown(number, listed)
            told.append((number, self._tasks.images[number], stubs[number].changed_at, listed))
        states, deletions, bad = self._history.add(told)
        refusals += [
            self._refusal(task, annotation, "bad_annotation", reason)
            for task, annotation, reason in bad
        ]
        numbers = [task["id"] for task in page]
        quarantine_tasks(self._catalog, self._number, refusals, tasks=numbers)
        # last, for only then they need not be read again
        self._tasks.see([stubs[number] for number in numbers])
        self._read += len(page)
        self._states += states
        self._deletions += deletions

    def _image_of(self, task: Mapping[str, Any]) -> object:
        """Id of the image that a task shows, as its data and its address have it."""
        data = task.get("data")
        if not isinstance(data, dict):
            return None
        image_id, address = data.get("image_id"), data.get("image")
        if not isinstance(image_id, str) or not isinstance(address, str):
            return None
        return image_id if f"/{image_id}/" in address else address

    def _changed_image(self, task: int, image: object) -> Refusal:
        pushed = self._tasks.images[task]
        return self._refusal(
            task,
            None,
            "changed_image",
            f"It was pushed to show image {pushed[:12]}, and shows {str(image)[:60]!r} now: what"
            " was labelled there may be about another picture. Delete it, and push with --again.",
        )

    def _unknown(self, task: int, annotations: Sequence[Mapping[str, Any]]) -> list[Refusal]:
        """Refusals of annotations of accounts that there are not, when first seen."""
        refusals = []
        for told in annotations:
            who, annotation = told.get("completed_by"), told.get("id")
            known = isinstance(annotation, int) and self._history.is_known(annotation)
            is_refused = field_of(task, annotation) in self._unknown_accounts
            # who has left since labelled all the same
            if who not in self._members and (not known or is_refused):
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
        is_first = not whole or self._cursor() is None
        if not (self._read or self._states or (whole and is_first)):
            return
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
        for name in ("labeling_tasks", "tool_annotations", "labeling_pulls"):
            self._catalog.table(name).optimize()
