"""Every state of every annotation that a pull saw: the history that the tool overwrites.

A state is written once, however often it is seen, and never changed. An annotation is what its last
state says; one that was deleted has a last state that says so, with all that it was before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.values import as_finite, as_time, pseudonym
from cv_pipeline.catalog.schemas import TOOL_ANNOTATIONS
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog

_LATEST = """
SELECT {columns}
FROM tool_annotations
WHERE {condition}
QUALIFY 1 = row_number() OVER (
    PARTITION BY tool_project, annotation ORDER BY seen_at DESC, updated_at DESC, digest
)
ORDER BY tool_project, annotation
"""
_CONTENT = tuple(name for name in TOOL_ANNOTATIONS.names if name not in ("seen_at", "digest"))


@dataclass(frozen=True)
class KnownState:
    """What is known of an annotation.

    Attributes:
        task: task that it is on.
        digest: of its last state.
        deleted: whether that state says that it is gone.
    """

    task: int
    digest: str
    deleted: bool


class BadAnnotation(ValueError):
    """What the tool says of an annotation cannot be understood; the text says what."""


def current_annotations(catalog: Catalog, *, version: int | None = None) -> pa.Table:
    """The last state of every annotation that was ever seen, those that are gone included.

    Args:
        catalog: the project's tables.
        version: version of ``tool_annotations`` to look at; the latest by default.

    Returns:
        Rows of ``TOOL_ANNOTATIONS``, by the tool's project and annotation.
    """
    columns = ", ".join(TOOL_ANNOTATIONS.names)
    relation = catalog.table("tool_annotations").relation(version=version)
    sql = _LATEST.format(columns=columns, condition="true")
    return run_sql(sql, relations={"tool_annotations": relation}).cast(TOOL_ANNOTATIONS)


class History:
    """The states of the annotations of one of the tool's projects, while a pull adds to them.

    Args:
        catalog: the project's tables.
        tool_project: id of the tool's project.
        batch: batch that it holds.
    """

    def __init__(self, catalog: Catalog, tool_project: int, batch: str) -> None:
        self._table = catalog.table("tool_annotations")
        self._number = tool_project
        self._batch = batch
        rows = self._last("annotation, task, digest, deleted, seen_at, completed_by")
        self._known = {
            annotation: KnownState(task, digest, deleted)
            for annotation, task, digest, deleted in zip(
                *(rows[name].to_pylist() for name in ("annotation", "task", "digest", "deleted")),
                strict=True,
            )
        }
        names = zip(rows["annotation"].to_pylist(), rows["completed_by"].to_pylist(), strict=True)
        self._names = {annotation: name for annotation, name in names if name}
        self._of_task: dict[int, set[int]] = {}
        for annotation, state in self._known.items():
            if not state.deleted:
                self._of_task.setdefault(state.task, set()).add(annotation)
        last = pc.max(rows["seen_at"]).as_py() if len(rows) else None
        # a clock that was set back must not make a new state the older one
        now = datetime.now(UTC)
        self.seen_at = now if last is None else max(now, last + timedelta(microseconds=1))

    def is_known(self, annotation: int) -> bool:
        """Whether an annotation was seen before."""
        return annotation in self._known

    @property
    def live(self) -> int:
        """Annotations that are there now."""
        return sum(len(of_task) for of_task in self._of_task.values())

    def add(
        self, tasks: Iterable[tuple[int, str, datetime, Sequence[Mapping[str, Any]]]]
    ) -> tuple[int, int, list[tuple[int, object, str]]]:
        """Write down what some tasks hold now.

        Args:
            tasks: task, its image, when it changed, and its annotations as the tool has them.

        Returns:
            New states, how many of them are deletions, and task, annotation and reason of what
            cannot be understood.
        """
        rows: list[dict[str, Any]] = []
        bad: list[tuple[int, object, str]] = []
        gone: dict[int, datetime] = {}
        for task, image_id, changed_at, listed in tasks:
            there: set[int] = set()
            for told in listed:
                try:
                    row = self._row(task, image_id, told)
                except BadAnnotation as error:
                    bad.append((task, told.get("id"), str(error)))
                    if isinstance(told.get("id"), int):
                        there.add(told["id"])
                    continue
                there.add(row["annotation"])
                known = self._known.get(row["annotation"])
                if known is None or known.digest != row["digest"]:
                    rows.append(row)
            gone.update(dict.fromkeys(self._of_task.get(task, set()) - there, changed_at))
        deletions = self._deletions(gone)
        self._write(rows + deletions)
        return len(rows) + len(deletions), len(deletions), bad

    def drop_tasks(self, tasks: Iterable[int]) -> int:
        """Write down that the annotations of some tasks are gone with them; returns how many."""
        gone = {a: None for task in tasks for a in self._of_task.get(task, set())}
        deletions = self._deletions(gone)
        self._write(deletions)
        return len(deletions)

    def _row(self, task: int, image_id: str, told: Mapping[str, Any]) -> dict[str, Any]:
        """A state as a row.

        Raises:
            BadAnnotation: it has no id, no times or no result.
        """
        created, updated = as_time(told.get("created_at")), as_time(told.get("updated_at"))
        result = told.get("result")
        if not _is_id(told.get("id")):
            raise BadAnnotation(f"Expected an id, found {told.get('id')!r:.60}.")
        if created is None or updated is None:
            raise BadAnnotation("Expected the times at which it was made and changed.")
        if not isinstance(result, list):
            raise BadAnnotation(f"Expected a list of regions, found {result!r:.60}.")
        # an account that was deleted leaves what it made without a name
        who = _number(told.get("completed_by")) or self._names.get(told["id"])
        row = {
            "tool_project": self._number,
            "task": task,
            "annotation": told["id"],
            "image_id": image_id,
            "batch": self._batch,
            "annotator": pseudonym(who),
            "completed_by": who or 0,
            "updated_by": _number(told.get("updated_by")),
            "updated_at": updated,
            "created_at": created,
            "lead_time": as_finite(told.get("lead_time")),
            "cancelled": bool(told.get("was_cancelled")),
            "ground_truth": bool(told.get("ground_truth")),
            "parent_prediction": _number(told.get("parent_prediction")),
            "deleted": False,
            "result": _canonical(result),
        }
        return self._finished(row)

    def _finished(self, row: dict[str, Any]) -> dict[str, Any]:
        content = [row[name] for name in _CONTENT]
        text = _canonical([v.isoformat() if isinstance(v, datetime) else v for v in content])
        digest = hashlib.sha256(text.encode()).hexdigest()
        return {**row, "seen_at": self.seen_at, "digest": digest}

    def _deletions(self, gone: Mapping[int, datetime | None]) -> list[dict[str, Any]]:
        """The last states of annotations that are gone, with when the tool says they went."""
        if not gone:
            return []
        rows = self._last(", ".join(TOOL_ANNOTATIONS.names)).cast(TOOL_ANNOTATIONS)
        rows = rows.filter(pc.is_in(rows["annotation"], value_set=pa.array(list(gone))))
        found = []
        for row in rows.to_pylist():
            at = gone[row["annotation"]]
            when = row["updated_at"] if at is None else max(at, row["updated_at"])
            found.append(self._finished({**row, "deleted": True, "updated_at": when}))
        return found

    def _write(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        self._table.append(pa.Table.from_pylist(rows, schema=TOOL_ANNOTATIONS))
        for row in rows:
            number, task = row["annotation"], row["task"]
            self._known[number] = KnownState(task, row["digest"], row["deleted"])
            of_task = self._of_task.setdefault(task, set())
            of_task.discard(number) if row["deleted"] else of_task.add(number)

    def _last(self, columns: str) -> pa.Table:
        """Columns of the last states of this project."""
        return run_sql(
            _LATEST.format(columns=columns, condition="tool_project = $number"),
            relations={"tool_annotations": self._table.relation()},
            parameters={"number": self._number},
        )


def _canonical(value: object) -> str:
    """JSON text that is the same for the same value.

    Raises:
        BadAnnotation: JSON or Unicode has no such value.
    """
    try:
        text = json.dumps(
            value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        )
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadAnnotation(f"It holds what cannot be stored: {error}.") from error
    return text


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> int | None:
    """An id, from a number or from a mapping that has one."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, int) and not isinstance(value, bool) else None
