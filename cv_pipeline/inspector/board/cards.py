"""What the first page shows of every project, gathered at once and within a time that is bounded.

What could not be gathered in time is gathered on, and stands on the page the next time; until then
the page shows what was known before, if that is not old.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from weakref import WeakKeyDictionary, ref

from pydantic import BaseModel

from cv_pipeline.inspector.board.runs import RunLine
from cv_pipeline.inspector.board.standing import Standing, standing
from cv_pipeline.inspector.workspace import Workspace

_logger = logging.getLogger(__name__)

PATIENCE = 0.6
"""Seconds that a page waits for all projects together."""
FRESH = 5.0
"""Seconds for which what was gathered stands without being gathered again."""
_AT_ONCE = 2
_TREND = 24
"""Evaluations that the trend shows."""


class ProjectState(BaseModel):
    """How a project stands.

    Attributes:
        metric: the optimizing metric.
        value: its newest value; null before the first evaluation.
        change: from the evaluation before; null without one.
        dropped: whether it fell too far.
        trend: its values, the oldest first; null where an evaluation lacks it.
        evaluation: digest of the newest evaluation.
        alerts: how many things there are to look into.
        bad: how many of those are bad.
        run: the newest run.
        images: images that are there.
        labelled: those of them with labels.
        missing: what could not be read.
        at: when this was gathered, UTC.
    """

    metric: str
    value: float | None
    change: float | None
    dropped: bool
    trend: list[float | None]
    evaluation: str | None
    alerts: int
    bad: int
    run: RunLine | None
    images: int
    labelled: int
    missing: list[str]
    at: datetime

    @property
    def path(self) -> str:
        """The trend as a line in a box of 100 by 24, from 0 below to 1 above; empty for none."""
        known = [(n, v) for n, v in enumerate(self.trend) if v is not None]
        if len(known) < 2:
            return ""
        values = [v for _, v in known]
        low, high = min(values), max(values)
        room = max(high - low, 0.02)  # a change of nothing is no mountain
        last = len(self.trend) - 1
        points = [(100 * n / last, 21 - 18 * (v - low) / room) for n, v in known]
        return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)


class Cards:
    """Gathers how projects stand, a few at a time, each once at a time.

    Args:
        gather: gathers one.
    """

    def __init__(self, gather: Callable[[str], ProjectState]) -> None:
        self._gather = gather
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="project cards")
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, ProjectState]] = {}
        self._going_on: dict[str, Future[None]] = {}

    def of(self, projects: Sequence[str], *, patience: float = PATIENCE) -> dict[str, ProjectState]:
        """How projects stand, as far as it is known within some seconds."""
        now = time.monotonic()
        with self._lock:
            waited = []
            for name in projects:
                known = self._known.get(name)
                if known is not None and now - known[0] < FRESH:
                    continue
                if name not in self._going_on:
                    self._going_on[name] = self._pool.submit(self._do, name)
                waited.append(self._going_on[name])
        wait(waited, timeout=patience)
        with self._lock:
            return {name: self._known[name][1] for name in projects if name in self._known}

    def _do(self, name: str) -> None:
        try:
            found = self._gather(name)
            with self._lock:
                self._known[name] = (time.monotonic(), found)
        except Exception as error:  # its own pages say what is wrong; the first page still answers
            _logger.info("how %s stands is not known: %s", name, error)
            with self._lock:
                self._known.pop(name, None)
        finally:
            with self._lock:
                self._going_on.pop(name, None)


def state_of(known: Standing, at: datetime) -> ProjectState:
    """What the first page shows of how a project stands."""
    metric = known.settings.metric
    values = [recorded.value(metric) for recorded in known.history]
    newest = known.history[-1] if known.history else None
    value = values[-1] if values else None
    before = values[-2] if len(values) > 1 else None
    return ProjectState(
        metric=metric,
        value=value,
        change=None if value is None or before is None else value - before,
        dropped=newest is not None and metric in newest.drops,
        trend=values[-_TREND:],
        evaluation=newest.digest if newest else None,
        alerts=len(known.alerts),
        bad=sum(alert.level == "bad" for alert in known.alerts),
        run=known.runs[0] if known.runs else None,
        images=known.images,
        labelled=known.labelled,
        missing=known.missing,
        at=at,
    )


_CARDS: WeakKeyDictionary[Workspace, Cards] = WeakKeyDictionary()
_LOCK = threading.Lock()


def cards_of(workspace: Workspace) -> Cards:
    """The cards of a workspace."""
    here = ref(workspace)  # which must not be kept alive by what it is the key of

    def gather(name: str) -> ProjectState:
        alive = here()
        if alive is None:
            raise RuntimeError("the workspace is closed")
        return state_of(standing(alive, name), datetime.now(UTC))

    with _LOCK:
        if workspace not in _CARDS:
            _CARDS[workspace] = Cards(gather)
        return _CARDS[workspace]
