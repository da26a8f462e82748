"""Addresses of images in tasks of the tool, renewed: when the inspector moved, or they end soon.

Only tasks whose address is not good for long enough are touched, and of these only such as show
what a push gave them: what somebody else wrote there stays, for the pull to find. The tool is
changed first and what is written down after it, so that a renewal that is killed is taken up where
it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import LABELING_TASKS
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import LabelingError, ToolDenied, ToolUnavailable
from cv_pipeline.labeling.exchange.shown_image import ShownImages
from cv_pipeline.labeling.tool.image_addresses import ImageAddresses
from cv_pipeline.labeling.tool.inspector_address import images_base
from cv_pipeline.labeling.tool.label_studio import Tool
from cv_pipeline.project import Project
from cv_pipeline.settings import cv_home

AT_ONCE = 500
"""Tasks that are changed in one request at most."""
ONE_BY_ONE = 500
"""Tasks that one renewal changes at most where the tool cannot change many at once."""
_READ = ["task", "image_id", "address"]
_TAIL = r"[0-9a-f]+/[\w-]+$"


@dataclass(frozen=True)
class Renewed:
    """What a renewal did.

    Attributes:
        tasks: tasks that have a new address.
        left: tasks whose address should be new and is not, as when there were too many.
    """

    tasks: int = 0
    left: int = 0

    @property
    def told(self) -> str:
        """What it did, in a sentence; empty where there was nothing to do."""
        if not self.tasks and not self.left:
            return ""
        left = f", and {self.left:,} still have an old one: push again" if self.left else ""
        return f"{self.tasks:,} tasks that are there have a new address of their image{left}."


def start_for(project: Project, batch: str, *, now: datetime | None = None) -> str:
    """What new addresses of a batch begin with; the same all day, so that they are alike."""
    now = now or datetime.now(UTC)
    last = now.replace(hour=0, minute=0, second=0, microsecond=0)
    last += timedelta(days=project.labeling.image_days + 1)
    return ImageAddresses(cv_home()).start(
        images_base(project), project=project.name, batch=batch, until=last
    )


def moved_batches(catalog: Catalog, base: str, *, among: Collection[str]) -> tuple[str, ...]:
    """Batches whose images the tool shows at another address than that of the inspector.

    What was written down is looked at, and the tool is asked nothing.

    Args:
        catalog: the project's tables.
        base: where annotators' browsers reach the inspector now.
        among: batches that are looked at.
    """
    if not among:
        return ()
    rows = catalog.table("labeling_tasks").read(
        columns=["batch", "address"],
        filter=one_of("batch", among) & (pc.field("state") == "pushed"),
    )
    is_here = pc.starts_with(rows["address"], pattern=f"{base}/labeling/images/")
    # one that has none was pushed by an earlier release, nobody knows where
    elsewhere = rows.filter(pc.invert(pc.fill_null(is_here, fill_value=True)))
    return tuple(sorted(pc.unique(elsewhere["batch"]).to_pylist()))


def renew(project: Project, batch: str, *, catalog: Catalog, tool: Tool) -> Renewed:
    """Renew the addresses of a batch's tasks that need it; where none does, nothing is asked.

    Raises:
        ToolUnavailable: the tool does not answer; what was renewed stays so.
        ToolDenied: it does not accept the token.
    """
    renewal = _Renewal(project, batch, catalog=catalog, tool=tool)
    due = renewal.due()
    if not len(due):
        return Renewed()
    done = 0
    for number in pc.unique(due["tool_project"]).to_pylist():
        done += renewal.of_project(number, due.filter(pc.equal(due["tool_project"], number)))
    return Renewed(done, len(due) - done)


@dataclass
class _Sorted:
    """Tasks of which each address begins with the same old text, those that differ, and the new."""

    alike: dict[str, list[int]] = field(default_factory=dict)
    single: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)


class _Renewal:
    def __init__(self, project: Project, batch: str, *, catalog: Catalog, tool: Tool) -> None:
        self._table = catalog.table("labeling_tasks")
        self._tool = tool
        self._batch = batch
        self._project = project
        self._base = images_base(project)
        self._start = start_for(project, batch)
        self._addresses = ImageAddresses(cv_home())
        self._shown = ShownImages(
            self._addresses, project=project.name, batch=batch, base=self._base
        )

    def due(self) -> pa.Table:
        """The batch's tasks whose address is not good for half of its days any more."""
        rows = self._table.read(
            filter=one_of("batch", [self._batch]) & (pc.field("state") == "pushed")
        )
        soon = datetime.now(UTC) + timedelta(days=self._project.labeling.image_days) / 2
        starts = pc.replace_substring_regex(rows["address"], pattern=_TAIL, replacement="")
        # one for each beginning tells of all
        firsts = pa.table({"start": starts, "address": rows["address"]}).group_by("start")
        good = []
        for one in firsts.aggregate([("address", "min")]).to_pylist():
            found = self._addresses.read(one["address_min"] or "")
            if found and found.base == self._base and found.until and found.until >= soon:
                good.append(one["start"])
        is_good = pc.is_in(starts, value_set=pa.array(good, pa.string()))
        return rows.filter(pc.invert(is_good))

    def of_project(self, number: int, due: pa.Table) -> int:
        """Renew tasks of one of the tool's projects; returns how many have a new address."""
        rows = {row["task"]: row for row in due.select(_READ).to_pylist()}
        there = dict(self._tool.task_data(number))
        found = self._sorted(rows, there)
        for old, tasks in found.alike.items():
            for first in range(0, len(tasks), AT_ONCE):
                # whatever it says, what became of them is looked at
                with contextlib.suppress(LabelingError):
                    some = tasks[first : first + AT_ONCE]
                    self._tool.replace_in_images(number, some, old, self._start)
        if found.alike:
            there = dict(self._tool.task_data(number))
            found = self._sorted(rows, there)
        left = [*found.single, *(task for tasks in found.alike.values() for task in tasks)]
        try:
            for task in left[:ONE_BY_ONE]:
                new = {**there[task], "image": self._new(rows[task]["image_id"])}
                try:
                    self._tool.change_data(task, new)
                except (ToolUnavailable, ToolDenied):
                    raise
                except LabelingError:  # it is gone since
                    continue
                found.done.append(task)
        finally:
            self._write_down(number, found.done)
        return len(found.done)

    def _sorted(
        self, rows: Mapping[int, Mapping[str, Any]], there: Mapping[int, Mapping[str, Any]]
    ) -> _Sorted:
        found = _Sorted()
        for task, row in rows.items():
            data = there.get(task)
            shown = self._shown.of({"data": data}, pushed=row["address"])
            if data is None or shown != row["image_id"]:
                continue
            address, new = str(data["image"]), self._new(row["image_id"])
            tail = new.removeprefix(self._start)
            if address == new:
                found.done.append(task)
            elif address.endswith(f"/{tail}"):
                found.alike.setdefault(address.removesuffix(tail), []).append(task)
            else:  # of a key that is no more
                found.single.append(task)
        return found

    def _new(self, image_id: str) -> str:
        signature = self._addresses.signature(self._project.name, self._batch, image_id)
        return f"{self._start}{image_id}/{signature}"

    def _write_down(self, number: int, tasks: list[int]) -> None:
        # as they are now: whoever gives work out writes there too, and takes no turns with a push
        rows = self._table.read(
            filter=(pc.field("tool_project") == number)
            & pc.field("task").isin(pa.array(tasks, pa.int64()))
        )
        if not len(rows):
            return
        new = pa.array([self._new(image) for image in rows["image_id"].to_pylist()])
        place = LABELING_TASKS.get_field_index("address")
        rows = rows.set_column(place, LABELING_TASKS.field(place), new)
        self._table.merge(rows, on=self._table.key)
