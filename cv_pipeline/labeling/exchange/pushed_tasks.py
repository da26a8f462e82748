"""The tasks that were pushed to one of the tool's projects, while a pull looks at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.catalog.schemas import LABELING_TASKS
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.tool.label_studio import Stub


class PushedTasks:
    """Tasks as they are written down, and what a pull adds to that.

    Args:
        catalog: the project's tables.
        tool_project: id of the tool's project.

    Attributes:
        images: task to the image that it was pushed with.
        addresses: task to the address of the image that the tool was given last; None where that
            was not written down.
        live: tasks that are there, as far as is known.
    """

    def __init__(self, catalog: Catalog, tool_project: int) -> None:
        self._table = catalog.table("labeling_tasks")
        self._number = tool_project
        rows = self._table.read(
            columns=["task", "image_id", "address", "state", "changed_at"],
            filter=pc.field("tool_project") == tool_project,
        )
        self.images: Mapping[int, str] = _by_task(rows, "image_id")
        self.addresses: Mapping[int, str | None] = _by_task(rows, "address")
        states: dict[int, str] = _by_task(rows, "state")
        self.live = {task for task, state in states.items() if state != "deleted"}
        self._changed: dict[int, datetime | None] = _by_task(rows, "changed_at")

    @property
    def known(self) -> Set[int]:
        """Every task that was ever pushed there."""
        return self.images.keys()

    @property
    def unread(self) -> set[int]:
        """Tasks that are there and that no pull has read."""
        return {task for task in self.live if self._changed[task] is None}

    def is_unchanged(self, stub: Stub) -> bool:
        """Whether a task is as the last pull saw it."""
        return stub.id in self.live and self._changed.get(stub.id) == stub.changed_at

    def see(self, stubs: Sequence[Stub]) -> None:
        """Write down that tasks were read as of when they changed."""
        known = [stub for stub in stubs if stub.id in self.images]
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
        wanted = pa.array(tasks, pa.int64())
        # as they are now: whoever gives work out writes there too, and takes no turns with a pull
        rows = self._table.read(
            filter=(pc.field("tool_project") == self._number) & pc.field("task").isin(wanted)
        )
        new = {"state": pa.repeat(state, len(rows))}
        if changed is not None:
            times = pa.array(changed, LABELING_TASKS.field("changed_at").type)
            new["changed_at"] = times.take(pc.index_in(rows["task"].combine_chunks(), wanted))
        columns = [new.get(name, rows[name]) for name in LABELING_TASKS.names]
        self._table.merge(pa.table(columns, schema=LABELING_TASKS), on=self._table.key)


def _by_task(rows: pa.Table, column: str) -> dict[int, Any]:
    return dict(zip(rows["task"].to_pylist(), rows[column].to_pylist(), strict=True))
