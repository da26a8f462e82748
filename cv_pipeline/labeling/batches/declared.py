"""Batches that are labelled in parallel: each with its own state, queue, owner and deadline.

A batch is declared over images that were set aside under its name. What was pulled moves it on to
in progress and done without anybody's doing; people push, pause, resume and cancel it. Nothing that
happens to one batch changes another.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from cv_pipeline.actor import current_actor
from cv_pipeline.catalog.datalake.image_batches import require_batch
from cv_pipeline.catalog.schemas.labeling_batches import LABELING_BATCHES
from cv_pipeline.catalog.tables import Catalog, one_of
from cv_pipeline.errors import LabelingError, nearest
from cv_pipeline.labeling.batches.progress import STUCK_HOURS, LabelingBatch, found_batches
from cv_pipeline.labeling.batches.states import (
    DIFFICULTIES,
    STATES,
    Declared,
    State,
    added_up,
    require_change,
)

__all__ = [
    "LabelingBatch",
    "advance",
    "change",
    "change_state",
    "declare",
    "declared_batch",
    "declared_batches",
    "declared_state",
    "labeling_batch",
    "list_labeling_batches",
    "resume",
]

_MOST_OVERLAP = 50
_AUTO = "auto:pull"
_UNSET: Any = object()


def declare(
    catalog: Catalog,
    batch: str,
    *,
    task_type: str,
    difficulty: str = "medium",
    queue: str = "default",
    owner: str = "",
    overlap: int = 1,
    priority: int = 0,
    deadline: datetime | None = None,
    pilot: bool = False,
    actor: str | None = None,
) -> bool:
    """Declare how the images that were set aside under a name are labelled.

    Args:
        catalog: the project's tables.
        batch: name of the images that were set aside.
        task_type: what is to be done with them.
        difficulty: easy, medium or hard.
        queue: name of the queue that it waits in.
        owner: account of who answers for it; empty for nobody.
        overlap: how many annotators label each image.
        priority: what comes first: the larger.
        deadline: when it is to be done, an aware time; None for no time.
        pilot: whether it is a pilot round.
        actor: who declares it; whoever acts here by default.

    Returns:
        Whether anything changed; the same again changes nothing, and other settings are taken
        over without touching the state.

    Raises:
        QueryError: nothing was set aside under that name; the message names the nearest.
        LabelingError: a setting cannot be one.
    """
    settings: dict[str, Any] = {
        "task_type": task_type,
        "difficulty": difficulty,
        "queue": queue,
        "owner": owner,
        "overlap": overlap,
        "priority": priority,
        "deadline": deadline,
        "pilot": pilot,
    }
    return change(catalog, batch, actor=actor, **settings)


def change(
    catalog: Catalog,
    batch: str,
    *,
    task_type: str = _UNSET,
    difficulty: str = _UNSET,
    queue: str = _UNSET,
    owner: str = _UNSET,
    overlap: int = _UNSET,
    priority: int = _UNSET,
    deadline: datetime | None = _UNSET,
    pilot: bool = _UNSET,
    actor: str | None = None,
) -> bool:
    """Change some settings of a batch, and leave the others as they are.

    Args, returns and errors are those of :func:`declare`.
    """
    given = {
        "task_type": task_type,
        "difficulty": difficulty,
        "queue": queue,
        "owner": owner,
        "overlap": overlap,
        "priority": priority,
        "deadline": deadline,
        "pilot": pilot,
    }
    wanted = {name: value for name, value in given.items() if value is not _UNSET}
    _require_settings(batch, wanted)
    before = _declared(catalog, batch)
    after = {**before.settings, **wanted}
    if before.changed_at is not None and after == before.settings:
        return False
    first = before.changed_at is None
    _record(catalog, before, settings=after, state="open" if first else "", actor=actor)
    return True


def change_state(catalog: Catalog, batch: str, state: State, *, actor: str | None = None) -> bool:
    """Bring a batch into another state.

    Args:
        catalog: the project's tables.
        batch: name of the batch; one that was set aside and never declared has the defaults.
        state: the new state.
        actor: who does it; whoever acts here by default.

    Returns:
        Whether it changed; the state that it has already changes nothing.

    Raises:
        QueryError: there is no such batch; the message names the nearest.
        LabelingError: its state does not allow that; the message says what it does.
    """
    if state not in STATES:
        raise LabelingError(f"{state!r} is no state of a batch.", do=nearest(state, STATES))
    before = _declared(catalog, batch)
    if before.state == state:
        return False
    require_change(batch, before.state, state)
    _record(catalog, before, settings=before.settings, state=state, actor=actor)
    return True


def resume(catalog: Catalog, batch: str, *, actor: str | None = None) -> State:
    """Let a paused batch go on where it was.

    Returns:
        Its state from now on.

    Raises:
        QueryError: there is no such batch; the message names the nearest.
        LabelingError: it is not paused.
    """
    before = _declared(catalog, batch)
    if before.state != "paused":
        raise LabelingError(
            f"Batch {batch!r} is not paused, so it cannot be resumed.",
            do=f"See its state with: cvp batch {catalog.project} {batch}",
        )
    _record(catalog, before, settings=before.settings, state=before.before_pause, actor=actor)
    return before.before_pause


def declared_batches(catalog: Catalog) -> dict[str, Declared]:
    """Every batch that was declared or changed, by name, as its events add up."""
    events: dict[str, list[dict[str, Any]]] = {}
    for event in catalog.table("labeling_batches").read().to_pylist():
        events.setdefault(event["batch"], []).append(event)
    return {batch: added_up(batch, of_batch) for batch, of_batch in sorted(events.items())}


def declared_state(catalog: Catalog, batch: str) -> State:
    """The state that a batch was brought into, by its own events; open where it has none."""
    rows = catalog.table("labeling_batches").read(filter=one_of("batch", [batch]))
    return added_up(batch, rows.to_pylist()).state if len(rows) else "open"


def declared_batch(catalog: Catalog, batch: str) -> Declared:
    """One batch as its events add up; with the defaults where it has none."""
    rows = catalog.table("labeling_batches").read(filter=one_of("batch", [batch])).to_pylist()
    return added_up(batch, rows) if rows else Declared(batch)


def list_labeling_batches(
    catalog: Catalog, *, stuck_hours: float = STUCK_HOURS, now: datetime | None = None
) -> list[LabelingBatch]:
    """Every batch of images that were set aside with its state and progress, what is urgent first.

    Args:
        catalog: the project's tables.
        stuck_hours: hours without an annotation after which a batch counts as stuck.
        now: the moment that deadlines are compared with; the present by default.

    Returns:
        The batches by priority, deadline and age; what is done or cancelled comes last.
    """
    return found_batches(
        catalog,
        declared_batches(catalog),
        stuck_hours=stuck_hours,
        now=now or datetime.now(UTC),
    )


def labeling_batch(
    catalog: Catalog, batch: str, *, stuck_hours: float = STUCK_HOURS, now: datetime | None = None
) -> LabelingBatch:
    """One batch with its state and progress.

    Raises:
        QueryError: there is no such batch; the message names the nearest.
    """
    require_batch(catalog, batch)
    every = list_labeling_batches(catalog, stuck_hours=stuck_hours, now=now)
    return next(one for one in every if one.name == batch)


def advance(catalog: Catalog, *, actor: str = _AUTO) -> dict[str, State]:
    """Record the states that batches have reached by what was pulled.

    Every batch is taken for itself. Doing it again, or not at all, changes nothing that anybody
    sees, for :func:`list_labeling_batches` derives the same.

    Returns:
        The batches whose state was recorded anew, and that state.
    """
    reached: dict[str, State] = {}
    known = declared_batches(catalog)
    for one in list_labeling_batches(catalog):
        before = known.get(one.name) or Declared(one.name)
        if one.state == before.state:
            continue
        # by way of what lies between, for every change must be one that is allowed
        way: tuple[State, ...] = (one.state,)
        if before.state == "open" and one.state != "pushed":
            way = ("pushed", one.state)
        for state in way:
            _record(catalog, before, settings=before.settings, state=state, actor=actor)
            before = _declared(catalog, one.name)
        reached[one.name] = one.state
    return reached


def _declared(catalog: Catalog, batch: str) -> Declared:
    """A batch as its events say.

    Raises:
        QueryError: there is no such batch; the message names the nearest.
    """
    require_batch(catalog, batch)
    rows = catalog.table("labeling_batches").read(filter=one_of("batch", [batch]))
    return added_up(batch, rows.to_pylist())


def _record(
    catalog: Catalog,
    before: Declared,
    *,
    settings: dict[str, Any],
    state: str,
    actor: str | None,
) -> None:
    """Write one event, later than the last."""
    at = datetime.now(UTC)
    if before.changed_at is not None:
        at = max(at, before.changed_at + timedelta(microseconds=1))
    row = {
        **settings,
        "batch": before.batch,
        "state": state,
        "actor": current_actor() if actor is None else actor,
        "at": at,
    }
    catalog.table("labeling_batches").append(pa.Table.from_pylist([row], schema=LABELING_BATCHES))


def _require_settings(batch: str, settings: dict[str, Any]) -> None:
    def refuse(what: str, do: str) -> None:
        raise LabelingError(f"Batch {batch!r}: {what}", do=do)

    difficulty = settings.get("difficulty", "medium")
    if difficulty not in DIFFICULTIES:
        refuse(f"{difficulty!r} is no difficulty.", nearest(str(difficulty), DIFFICULTIES))
    overlap = settings.get("overlap", 1)
    if not 1 <= overlap <= _MOST_OVERLAP:
        refuse(
            f"an overlap of {overlap} is not possible.",
            f"It is how many annotators label each image: 1 to {_MOST_OVERLAP}.",
        )
    if abs(settings.get("priority", 0)) > 1_000_000:
        refuse(
            f"a priority of {settings['priority']} is not possible.",
            "Use -1000000 to 1000000; the larger comes first.",
        )
    for name, example in (("queue", "default"), ("task_type", "detection")):
        value = settings.get(name, example)
        if not value.strip() or len(value) > 63:
            refuse(f"{name} {value!r} cannot be one.", f"Use 1 to 63 characters, as {example!r}.")
    deadline = settings.get("deadline")
    if deadline is not None and deadline.tzinfo is None:
        refuse(f"the deadline {deadline} has no time zone.", "Give one, as 2026-12-01T12:00+00:00.")
