"""Cron expressions of five fields, as far as a schedule of a project needs them.

What passes :func:`require_cron` is a schedule that the orchestrator takes and that comes due. This
is no evaluation of an expression: when a run is due is the orchestrator's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class _Field:
    """One field: what it is called, its least and greatest value, and the names of some values."""

    name: str
    low: int
    high: int
    values: dict[str, int]


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, {name: i for i, name in enumerate(_MONTHS, start=1)}),
    # Sunday is both 0 and 7
    _Field("day of the week", 0, 7, {name: i for i, name in enumerate(_WEEKDAYS)}),
)
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(?:\*|(?P<first>[0-9a-z]+)(?:-(?P<last>[0-9a-z]+))?)(?:/(?P<step>[0-9]+))?")


def require_cron(text: str) -> str:
    """Return ``text`` if it is a cron expression that comes due.

    Each field is a list, separated by commas, of ``*``, a value or a range such as ``1-5``, each
    with an optional step such as ``*/2``; months and days of the week also have names.

    Raises:
        ValueError: it does not have five fields, a field has a value that it cannot have, or no
            month that it names has a day that it names.
    """
    parts = text.split()
    if len(parts) != len(_FIELDS):
        names = ", ".join(field.name for field in _FIELDS)
        raise ValueError(f"expected a cron expression of five fields ({names})")
    _, _, days, months, _ = (_values(p, f) for p, f in zip(parts, _FIELDS, strict=True))
    if min(days) > max(_DAYS_IN_MONTH[month - 1] for month in months):
        raise ValueError(f"expected a day that exists, not day {parts[2]} of month {parts[3]}")
    return text


def _values(text: str, field: _Field) -> set[int]:
    """The values that one field of an expression stands for."""
    values: set[int] = set()
    for part in text.lower().split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise _refusal(part, field)
        first, last = field.low, field.high
        if match["first"] is not None:
            first = _value(match["first"], field)
            if match["last"] is not None:
                last = _value(match["last"], field)
            elif match["step"] is None:
                last = first
        step = int(match["step"] or 1)
        # a longer step than the field would come round sooner than it says
        if not 1 <= step <= field.high:
            raise ValueError(
                f"expected a step of 1-{field.high} for the {field.name}, not {part!r}"
            )
        if first <= last:
            values |= set(range(first, last + 1, step))
        else:  # such as 22-2: over midnight
            around = [*range(first, field.high + 1), *range(field.low, last + 1)]
            values |= set(around[::step])
    return values


def _value(word: str, field: _Field) -> int:
    value = int(word) if word.isdigit() else field.values.get(word, -1)
    if not field.low <= value <= field.high:
        raise _refusal(word, field)
    return value


def _refusal(word: str, field: _Field) -> ValueError:
    names = f" or {', '.join(field.values)}" if field.values else ""
    return ValueError(
        f"expected {field.low}-{field.high}{names} for the {field.name}, not {word!r}"
    )
