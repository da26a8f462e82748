"""Every state of every annotation that a pull saw: the history that the tool overwrites.

A state is written once, however often it is seen, and never changed. An annotation is what its last
state says; one that was deleted has a last state that says so, with all that it was before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cv_pipeline.annotations.raw import UNKNOWN_ANNOTATOR
from cv_pipeline.annotations.values import as_finite, as_time, pseudonym
from cv_pipeline.catalog.schemas import TOOL_ANNOTATIONS
from cv_pipeline.catalog.sql import run_sql
from cv_pipeline.catalog.tables import Catalog
from cv_pipeline.labeling.exchange.people import NAMED, named_relations
from cv_pipeline.pseudonyms import account_name

LATEST_FIRST = "seen_at DESC, updated_at DESC, deleted DESC, digest"
"""SQL for the order of an annotation's states, the last one first, the same for all who ask."""
_CURRENT = f"""
WITH named AS ({NAMED})
SELECT {{columns}} FROM named
QUALIFY 1 = row_number() OVER (PARTITION BY tool_project, annotation ORDER BY {LATEST_FIRST})
ORDER BY tool_project, annotation
"""  # noqa: S608 - of constants
_OF_PROJECT = f"""
SELECT annotation, task, digest, deleted, seen_at, completed_by FROM tool_annotations
WHERE tool_project = $number
QUALIFY 1 = row_number() OVER (PARTITION BY annotation ORDER BY {LATEST_FIRST})
"""  # noqa: S608 - of constants
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


@dataclass
class News:
    """What some tasks hold that the history does not say yet.

    Attributes:
        states: new states, as rows of ``TOOL_ANNOTATIONS`` without when they were seen.
        gone: annotations that are no longer there, with when that was, by the tool's clock.
        bad: task, annotation and reason of what cannot be understood.
    """

    states: list[dict[str, Any]] = field(default_factory=list)
    gone: dict[int, datetime | None] = field(default_factory=dict)
    bad: list[tuple[int, object, str]] = field(default_factory=list)


class BadAnnotation(ValueError):
    """What the tool says of an annotation cannot be understood; the text says what."""


def current_annotations(catalog: Catalog, *, version: int | None = None) -> pa.Table:
    """The last state of every annotation that was ever seen, those that are gone included.

    Args:
        catalog: the project's tables.
        version: version of ``tool_annotations`` to look at; the latest by default.

    Returns:
        Rows of ``TOOL_ANNOTATIONS``, by the tool's project and annotation, with the names that
        people have now.
    """
    columns = ", ".join(TOOL_ANNOTATIONS.names)
    sql = _CURRENT.format(columns=columns)
    found = run_sql(sql, relations=named_relations(catalog, version=version))
    return found.cast(TOOL_ANNOTATIONS)


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
        rows = run_sql(
            _OF_PROJECT,
            relations={"tool_annotations": self._table.relation()},
            parameters={"number": tool_project},
        )
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
        self._seen_at: datetime | None = pc.max(rows["seen_at"]).as_py() if len(rows) else None

    def is_known(self, annotation: int) -> bool:
        """Whether an annotation was seen before."""
        return annotation in self._known

    @property
    def live(self) -> int:
        """Annotations that are there now."""
        return sum(len(of_task) for of_task in self._of_task.values())

    def news(self, tasks: Iterable[tuple[int, str, datetime, Sequence[Mapping[str, Any]]]]) -> News:
        """Compare what some tasks hold now with the history.

        Args:
            tasks: task, its image, when it changed, and its annotations as the tool has them.
        """
        news = News()
        there: set[int] = set()
        for task, image_id, changed_at, listed in tasks:
            for told in listed:
                try:
                    row = self._row(task, image_id, told)
                except BadAnnotation as error:
                    news.bad.append((task, told.get("id"), str(error)))
                    if _is_id(told.get("id")):
                        there.add(told["id"])
                    continue
                there.add(row["annotation"])
                known = self._known.get(row["annotation"])
                if known is None or known.digest != row["digest"]:
                    news.states.append(row)
            news.gone.update(dict.fromkeys(self._of_task.get(task, ()), changed_at))
        for annotation in there:
            news.gone.pop(annotation, None)
        return news

    def write(self, news: News) -> tuple[int, int]:
        """Write down what is new; returns how many states, and how many of them are deletions."""
        deletions = self._deletions(news.gone)
        self._write(news.states + deletions)
        return len(news.states) + len(deletions), len(deletions)

    def drop_tasks(self, tasks: Iterable[int]) -> int:
        """Write down that the annotations of some tasks are gone with them; returns how many."""
        gone = {a: None for task in tasks for a in self._of_task.get(task, ())}
        return self.write(News(gone=dict(gone)))[1]

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
        who = id_of(told.get("completed_by")) or self._names.get(told["id"])
        row = {
            "tool_project": self._number,
            "task": task,
            "annotation": told["id"],
            "image_id": image_id,
            "batch": self._batch,
            "annotator": UNKNOWN_ANNOTATOR if who is None else account_name(who),
            "completed_by": who or 0,
            "updated_by": id_of(told.get("updated_by")),
            "updated_at": updated,
            "created_at": created,
            "lead_time": as_finite(told.get("lead_time")),
            "cancelled": bool(told.get("was_cancelled")),
            "ground_truth": bool(told.get("ground_truth")),
            "parent_prediction": id_of(told.get("parent_prediction")),
            "deleted": False,
            "result": _canonical(result),
        }
        return self._finished(row)

    def _finished(self, row: dict[str, Any]) -> dict[str, Any]:
        # as the first release called accounts, so that a state of then is no new one
        content = [
            pseudonym(row["completed_by"] or None) if name == "annotator" else row[name]
            for name in _CONTENT
        ]
        text = _canonical([v.isoformat() if isinstance(v, datetime) else v for v in content])
        digest = hashlib.sha256(text.encode()).hexdigest()
        return {**row, "digest": digest}

    def _deletions(self, gone: Mapping[int, datetime | None]) -> list[dict[str, Any]]:
        """The last states of annotations that are gone, with when the tool says they went."""
        if not gone:
            return []
        wanted = pa.array(list(gone), pa.int64())
        rows = self._table.read(
            filter=(pc.field("tool_project") == self._number) & pc.field("annotation").isin(wanted)
        )
        last = pa.array([self._known[annotation].digest for annotation in gone], pa.string())
        # an earlier state may say the same as the last, and is seen earlier: any of them will do
        rows = rows.filter(
            pc.equal(rows["digest"], last.take(pc.index_in(rows["annotation"], value_set=wanted)))
        )
        found = {}
        for row in rows.to_pylist():
            at = gone[row["annotation"]]
            when = row["updated_at"] if at is None else max(at, row["updated_at"])
            row |= {"deleted": True, "updated_at": when}
            found[row["annotation"]] = self._finished(row)
        return [found[annotation] for annotation in sorted(found)]

    def _write(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        # each write is later than the one before, though a clock was set back: what was seen and
        # then found gone by one pull has two states, and the second is the last
        now = datetime.now(UTC)
        if self._seen_at is not None:
            now = max(now, self._seen_at + timedelta(microseconds=1))
        self._seen_at = now
        rows = [{**row, "seen_at": now} for row in rows]
        self._table.append(pa.Table.from_pylist(rows, schema=TOOL_ANNOTATIONS))
        for row in rows:
            number, task = row["annotation"], row["task"]
            self._known[number] = KnownState(task, row["digest"], row["deleted"])
            of_task = self._of_task.setdefault(task, set())
            of_task.discard(number) if row["deleted"] else of_task.add(number)


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


def id_of(value: object) -> int | None:
    """An id, from a number or from a mapping that has one."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, int) and not isinstance(value, bool) else None
