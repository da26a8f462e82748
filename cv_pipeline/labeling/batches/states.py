"""States of a batch, which follows which, and what the events of a batch add up to.

Events are taken in the order of their times. A change of state that the state before it does not
allow has no effect, so that two people who change a batch at one moment leave it in one state,
the same for everybody who reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from cv_pipeline.errors import LabelingError

State = Literal["open", "pushed", "in_progress", "done", "paused", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
DIFFICULTIES = ("easy", "medium", "hard")

ALLOWED: dict[State, tuple[State, ...]] = {
    "open": ("pushed", "paused", "cancelled"),
    "pushed": ("in_progress", "done", "paused", "cancelled"),
    "in_progress": ("done", "paused", "cancelled"),
    # an annotation was deleted in the tool, or more are wanted
    "done": ("in_progress",),
    # back to what it was
    "paused": ("open", "pushed", "in_progress", "cancelled"),
    "cancelled": (),
}
"""State to the states that may follow it."""

_SETTINGS = ("task_type", "difficulty", "queue", "owner", "overlap", "priority", "deadline")


@dataclass(frozen=True)
class Declared:
    """A batch as its events say.

    Attributes:
        batch: name of the batch.
        state: the last that was recorded.
        before_pause: the state that a paused one goes back to.
        task_type: what is to be done with its images.
        difficulty: easy, medium or hard.
        queue: name of the queue that it waits in.
        owner: account of who answers for it; empty for nobody.
        overlap: how many annotators label each image.
        priority: what comes first: the larger.
        deadline: when it is to be done; None for no time.
        pilot: whether it is a pilot round.
        actor: who made the last change.
        changed_at: when that was; None where nothing was declared.
    """

    batch: str
    state: State = "open"
    before_pause: State = "open"
    task_type: str = ""
    difficulty: str = "medium"
    queue: str = "default"
    owner: str = ""
    overlap: int = 1
    priority: int = 0
    deadline: datetime | None = None
    pilot: bool = False
    actor: str = ""
    changed_at: datetime | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What was declared beside the state, by column."""
        return {name: getattr(self, name) for name in (*_SETTINGS, "pilot")}


def require_change(batch: str, before: State, after: State) -> None:
    """See that a batch may go from one state to another.

    Raises:
        LabelingError: it may not; the message says which it may go to.
    """
    if after in ALLOWED[before]:
        return
    follow = " or ".join(ALLOWED[before])
    raise LabelingError(
        f"Batch {batch!r} is {said(before)}, and cannot become {said(after)}.",
        do=f"From {said(before)} it can become {follow.replace('_', ' ')}."
        if follow
        else "A cancelled batch stays cancelled: set its images aside under another name.",
    )


def said(state: str) -> str:
    """A state as people say it."""
    return state.replace("_", " ")


def added_up(batch: str, events: Iterable[Mapping[str, Any]]) -> Declared:
    """What the events of one batch add up to.

    Args:
        batch: name of the batch.
        events: rows of ``LABELING_BATCHES`` of that batch, in any order. One with an empty state
            changes the settings only; one with a state changes the state only, unless it is the
            first.
    """
    ordered = sorted(
        events,
        key=lambda e: (e["at"], _rank(e["state"]), e["actor"], str([e[s] for s in _SETTINGS])),
    )
    told: dict[str, Any] = {}
    state: State = "open"
    before_pause: State = "open"
    for number, event in enumerate(ordered):
        wanted = event["state"]
        if number == 0 or not wanted:
            told.update({name: event[name] for name in (*_SETTINGS, "pilot")})
        if wanted and wanted != state:
            if number and wanted not in ALLOWED[state]:
                continue
            if wanted == "paused":
                before_pause = state
            state = wanted
        told.update(actor=event["actor"], changed_at=event["at"])
    return Declared(batch, state=state, before_pause=before_pause, **told)


def _rank(state: str) -> int:
    """Place of a state among events of one instant: what ends a batch comes last."""
    return STATES.index(state) if state in STATES else -1
