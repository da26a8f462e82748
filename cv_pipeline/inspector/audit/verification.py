"""Whether the audit log is whole, and if not, which lines were altered, removed or inserted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from cv_pipeline.inspector.audit.entry import FIRST, seal_of
from cv_pipeline.inspector.audit.log import COLUMNS, HEADLESS, RECOVERED, AuditLog, Head, Row

Kind = Literal["altered", "removed", "inserted", "moved", "forked", "headless"]


@dataclass(frozen=True)
class Fault:
    """What is wrong with some lines.

    Attributes:
        kind: what was done to them.
        first: number of the first of them.
        last: number of the last of them.
        told: the same in words.
    """

    kind: Kind
    first: int
    last: int
    told: str


@dataclass(frozen=True)
class Verdict:
    """What came of checking the log.

    Attributes:
        lines: how many genuine lines there are.
        head: number and seal of the last one; to be noted elsewhere, so that even who has the key
            cannot go back behind it unseen.
        faults: what is wrong, by number of line.
        remarks: what is no fault, and still should be known.
    """

    lines: int
    head: Head
    faults: tuple[Fault, ...]
    remarks: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(log: AuditLog, *, noted: Head | None = None) -> Verdict:
    """Check every line.

    Args:
        log: the audit log.
        noted: a head that was noted elsewhere, which must be one of its lines.

    Raises:
        AuditLogError: it cannot be read, or its key is gone.
    """
    with log.sealed() as (key, head, rows):
        found = _Found.of(key, rows)
    faults = [*found.faults]
    ends = [head.n if head else 0, noted.n if noted else 0, max(found.genuine, default=0)]
    missing = set(range(1, max(ends) + 1)) - found.genuine.keys()
    for position in found.strangers:
        if position in missing:
            missing.remove(position)
            faults.append(_fault("altered", position, position))
        else:
            faults.append(_fault("inserted", position, position))
    for first, last in _runs(sorted(missing)):
        faults.append(_fault("removed", first, last))
    faults += _chain_faults(found.genuine)
    if head is None and found.genuine:
        last = max(found.genuine)
        faults.append(_fault("headless", last + 1, last + 1))
    if noted is not None and noted.n in found.genuine and found.genuine[noted.n].seal != noted.seal:
        faults.append(_fault("forked", noted.n, noted.n))
    remarks = list(found.remarks)
    if head is not None and found.genuine and max(found.genuine) > head.n:
        remarks.append(
            f"A process ended before it noted line {max(found.genuine):,} as the last; the line"
            " itself is genuine."
        )
    last_n = max(found.genuine, default=0)
    seal = found.genuine[last_n].seal if last_n else FIRST
    return Verdict(
        lines=len(found.genuine),
        head=Head(last_n, seal),
        faults=tuple(sorted(faults, key=lambda f: (f.first, f.kind))),
        remarks=tuple(remarks),
    )


@dataclass(frozen=True)
class _Sealed:
    """The seals of a genuine line."""

    before: str
    seal: str


@dataclass(frozen=True)
class _Found:
    """What lies there.

    Attributes:
        genuine: number to seals of the lines whose own seal is right.
        strangers: numbers of rows whose seal is wrong.
        faults: what is wrong with genuine lines.
        remarks: what the log says of itself.
    """

    genuine: dict[int, _Sealed]
    strangers: list[int]
    faults: list[Fault]
    remarks: list[str]

    @classmethod
    def of(cls, key: bytes, rows: Iterable[Row]) -> _Found:
        found = cls({}, [], [], [])
        for row in rows:
            said = _genuine(key, row)
            if said is None:
                found.strangers.append(row.n)
            elif said["n"] in found.genuine:
                found.faults.append(_fault("inserted", row.n, row.n))
            else:
                n = said["n"]
                found.genuine[n] = _Sealed(said["before"], row.seal)
                if n != row.n:
                    found.faults.append(_fault("moved", n, n))
                elif tuple(said[name] for name in COLUMNS) != row.columns:
                    found.faults.append(_fault("altered", n, n))
                found._hear(n, said["action"])
        return found

    def _hear(self, n: int, action: str) -> None:
        if action == HEADLESS:
            self.faults.append(_fault("headless", n, n))
        if action == RECOVERED:
            self.remarks.append(
                f"Line {n:,}: a process had ended after it wrote the line before, and before it"
                " noted that as the last."
            )


def _genuine(key: bytes, row: Row) -> dict[str, Any] | None:
    """What a line says whose seal is right."""
    if seal_of(key, row.text) != row.seal:
        return None
    said: dict[str, Any] = json.loads(row.text)
    return said


def _chain_faults(genuine: dict[int, _Sealed]) -> list[Fault]:
    """Genuine lines that do not follow each other, as when an old copy of the log was put back."""
    faults = []
    for n, line in genuine.items():
        before = genuine[n - 1].seal if n - 1 in genuine else None
        right = FIRST if n == 1 else before
        if right is not None and line.before != right:
            faults.append(_fault("forked", n, n))
    return faults


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Ascending numbers as first and last of each run without a gap."""
    runs: list[tuple[int, int]] = []
    for n in numbers:
        if runs and runs[-1][1] == n - 1:
            runs[-1] = (runs[-1][0], n)
        else:
            runs.append((n, n))
    return runs


_WORDS: dict[Kind, str] = {
    "altered": "{} was altered: its seal does not fit what it says.",
    "removed": "{} was removed.",
    "inserted": "{} was inserted: it has no right seal, or repeats another line.",
    "moved": "{} was moved to another place.",
    "forked": "{} does not follow the line before it: a copy of the log was put in its place.",
    "headless": "The head was missing before {}: whether lines were removed there is not known.",
}


def _fault(kind: Kind, first: int, last: int) -> Fault:
    if first == last:
        return Fault(kind, first, last, _WORDS[kind].format(f"Line {first:,}"))
    told = _WORDS[kind].replace(" was ", " were ").format(f"Lines {first:,} to {last:,}")
    return Fault(kind, first, last, told)
