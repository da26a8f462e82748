"""How far a run is, from the events and log lines that Dagster has of it.

A pure function of those, so that a page that is loaded again, or by somebody else, shows the same.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from dagster import AssetCheckEvaluation, AssetCheckSeverity, DagsterEventType, EventLogEntry
from pydantic import BaseModel

State = Literal["waiting", "running", "done", "failed", "skipped"]
LAST_LINES = 12
_EPOCH = re.compile(
    r"epoch (?P<epoch>\d+)/(?P<of>\d+) took .*?: loss (?P<loss>[-+.\deinfa]+)"
    r"(?:, validation (?P<metric>\w+) (?P<value>[-+.\deinfa]+))?$"
)
_STEP = re.compile(
    r"epoch (?P<epoch>\d+)/(?P<of>\d+), step (?P<step>\d+)/(?P<steps>\d+),"
    r" loss (?P<loss>[-+.\deinfa]+), (?P<left>.+) left$"
)
_DONE_OF = re.compile(r"(?P<done>[\d,]+) of (?P<of>[\d,]+)")
_STATES: dict[DagsterEventType, State] = {
    DagsterEventType.STEP_START: "running",
    DagsterEventType.STEP_SUCCESS: "done",
    DagsterEventType.STEP_FAILURE: "failed",
    DagsterEventType.STEP_SKIPPED: "skipped",
}


class RunStep(BaseModel):
    """A step of the run; ``share`` of 1 is how far it is, where that is known."""

    name: str
    state: State
    started: datetime | None = None
    seconds: float | None = None
    share: float | None = None
    line: str = ""


class Epoch(BaseModel):
    """An epoch of the training, as it was told when it ended."""

    epoch: int
    loss: float | None
    value: float | None


class Training(BaseModel):
    """How far the training is.

    Attributes:
        epochs: those that ended.
        of: how many there are to be.
        metric: the validation metric.
        share: of 1, how far it is.
        left: how long it still takes, in words.
    """

    epochs: list[Epoch]
    of: int
    metric: str
    share: float
    left: str


class CheckLine(BaseModel):
    """What a check said in the run."""

    name: str
    asset: str
    passed: bool
    severity: str
    summary: str


class StepFailure(BaseModel):
    """Why a step, or the run, failed."""

    step: str
    what: str
    detail: str


class LogLine(BaseModel):
    """A line of the log."""

    at: datetime
    step: str
    text: str
    level: str


class Progress(BaseModel):
    """How far a run is."""

    steps: list[RunStep]
    training: Training | None
    checks: list[CheckLine]
    failures: list[StepFailure]
    lines: list[LogLine]


@dataclass
class _Step:
    name: str
    state: State = "waiting"
    started: float | None = None
    ended: float | None = None
    line: str = ""
    share: float | None = None


@dataclass
class _Read:
    """What was gathered of the events so far."""

    steps: dict[str, _Step]
    epochs: dict[int, Epoch] = field(default_factory=dict)
    of: int = 0
    metric: str = ""
    share: float = 0.0
    left: str = ""
    checks: list[CheckLine] = field(default_factory=list)
    failures: list[StepFailure] = field(default_factory=list)
    lines: deque[LogLine] = field(default_factory=lambda: deque(maxlen=LAST_LINES))


class Reader:
    """Gathers how far a run is from its events and log lines, as they come.

    Args:
        planned: its steps, in the order of the plan.
    """

    def __init__(self, planned: Sequence[str]) -> None:
        self._read = _Read(steps={name: _Step(name) for name in planned})

    def take(self, entries: Iterable[EventLogEntry]) -> None:
        """Take in what is new, oldest first."""
        for entry in entries:
            _take(self._read, entry)

    def progress(self, *, now: float) -> Progress:
        """How far the run is, as of what was taken in.

        Args:
            now: present time, in seconds, for how long a step has been running.
        """
        read = self._read
        return Progress(
            steps=[_line(step, now) for step in _in_order(read.steps.values())],
            training=_training(read),
            checks=sorted(read.checks, key=lambda c: (c.passed, c.severity != "error", c.name)),
            failures=list(read.failures),
            lines=list(read.lines),
        )


def _in_order(steps: Iterable[_Step]) -> list[_Step]:
    """Those that started, by when they did; then those that wait, in the order of the plan."""
    listed = list(steps)
    began = sorted((s for s in listed if s.started is not None), key=lambda s: s.started or 0.0)
    return began + [s for s in listed if s.started is None]


def _take(read: _Read, entry: EventLogEntry) -> None:
    event = entry.dagster_event
    if event is None:
        _take_line(read, entry, entry.user_message.strip())
        return
    kind, data = event.event_type, event.event_specific_data
    step = read.steps.setdefault(entry.step_key, _Step(entry.step_key)) if entry.step_key else None
    if kind in _STATES and step is not None:
        step.state = _STATES[kind]
        if kind is DagsterEventType.STEP_START:
            step.started, step.ended = entry.timestamp, None
        else:
            step.ended = entry.timestamp
    if kind in (DagsterEventType.STEP_FAILURE, DagsterEventType.PIPELINE_FAILURE):
        found = _failure(entry)
        if found is not None and (step is not None or not read.failures):
            read.failures.append(found)
    if isinstance(data, AssetCheckEvaluation):
        warns = data.severity == AssetCheckSeverity.WARN
        read.checks.append(
            CheckLine(
                name=data.check_name,
                asset=data.asset_key.path[-1],
                passed=data.passed,
                severity="warn" if warns else "error",
                summary=data.description or "",
            )
        )


def _take_line(read: _Read, entry: EventLogEntry, text: str) -> None:
    if not text:
        return
    read.lines.append(
        LogLine(
            at=datetime.fromtimestamp(entry.timestamp, UTC),
            step=entry.step_key or "",
            text=text[:2000],
            level=_level(entry.level),
        )
    )
    step = read.steps.get(entry.step_key or "")
    if step is not None:
        step.line = text[:300]
        counted = _DONE_OF.search(text)
        if counted and "epoch" not in text:
            done, of = (int(counted[n].replace(",", "")) for n in ("done", "of"))
            step.share = done / of if of else None
    ended, within = _EPOCH.search(text), _STEP.search(text)
    if ended:
        number, read.of = int(ended["epoch"]), int(ended["of"])
        read.metric = ended["metric"] or read.metric
        read.epochs[number] = Epoch(
            epoch=number, loss=_number(ended["loss"]), value=_number(ended["value"])
        )
        read.share = number / read.of
    elif within:
        read.of, read.left = int(within["of"]), within["left"]
        part = int(within["step"]) / int(within["steps"])
        read.share = (int(within["epoch"]) - 1 + part) / read.of
    if (ended or within) and step is not None:
        step.share = read.share


def _training(read: _Read) -> Training | None:
    if not read.of:
        return None
    return Training(
        epochs=[read.epochs[n] for n in sorted(read.epochs)],
        of=read.of,
        metric=read.metric,
        share=min(1.0, read.share),
        left="" if read.share >= 1 else read.left,
    )


def _failure(entry: EventLogEntry) -> StepFailure | None:
    """The innermost cause, for the outer ones only say in which step it was."""
    event = entry.dagster_event
    if event is None:
        return None
    error = getattr(event.event_specific_data, "error", None)
    detail = ""
    while error is not None:
        what = error.message.strip()
        detail = detail or "".join(error.stack or ())[-4000:]
        if error.cause is None:
            return StepFailure(step=entry.step_key or "", what=_plain(what), detail=detail)
        error = error.cause
    return StepFailure(step=entry.step_key or "", what=event.message or "It failed.", detail="")


def _plain(what: str) -> str:
    """An error without the module of its class."""
    return re.sub(r"^[\w.]+\.(?=\w+(Error|Refused|NotFound|Exception)\b)", "", what)[:3000]


def _line(step: _Step, now: float) -> RunStep:
    end = step.ended if step.ended is not None else now
    return RunStep(
        name=step.name,
        state=step.state,
        started=None if step.started is None else datetime.fromtimestamp(step.started, UTC),
        seconds=None if step.started is None else round(max(0.0, end - step.started), 1),
        share=1.0 if step.state == "done" else step.share if step.state == "running" else None,
        line=step.line,
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and abs(value) != float("inf") and value == value else None


def _level(level: object) -> str:
    number = int(level) if isinstance(level, int) else 20
    return "error" if number >= 40 else "warn" if number >= 30 else "info"
