"""Date ranges of a query, in UTC: half-open intervals written in a few fixed forms.

``2025``, ``2025-Q4``, ``2025-11`` and ``2025-11-03`` name a whole period; ``START/END`` names all
from the beginning of START until the beginning of END, and either may be left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cv_pipeline.errors import CatalogError

_PERIOD = re.compile(r"(?P<year>\d{4})(?:-Q(?P<quarter>\d)|-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?")
_FORMS = (
    "Accepted forms: 2025, 2025-Q4, 2025-11, 2025-11-03, and START/END with END exclusive, where"
    " each is one of these or a time such as 2025-11-03T08:30:00Z and either may be left out."
)


@dataclass(frozen=True)
class DateRange:
    """An interval of time.

    Attributes:
        start: first instant in it; None when it is open at the beginning.
        end: first instant after it; None when it is open at the end.
    """

    start: datetime | None
    end: datetime | None


def parse_date_range(text: str) -> DateRange:
    """Read a date range.

    Raises:
        CatalogError: it has none of the accepted forms, names a date that does not exist, or ends
            before it starts; the message names the forms.
    """
    first, slash, last = (part.strip() for part in text.partition("/"))
    if not slash:
        return DateRange(*_period(first, text))
    if not first and not last:
        raise _refusal(text, "has neither a start nor an end")
    start = _instant(first, text) if first else None
    end = _instant(last, text) if last else None
    if start and end and end <= start:
        raise _refusal(text, "ends before it starts" if end < start else "is empty")
    return DateRange(start, end)


def _instant(part: str, text: str) -> datetime:
    """Beginning of a period, or a time; without a zone it is UTC."""
    if "T" not in part:
        return _period(part, text)[0]
    try:
        moment = datetime.fromisoformat(part)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise _refusal(text, str(error)) from None


def _period(part: str, text: str) -> tuple[datetime, datetime]:
    """First instant of a period, and the first after it."""
    match = _PERIOD.fullmatch(part)
    if match is None:
        raise _refusal(text, f"has {part!r}, which is no date" if part else "is empty")
    year = int(match["year"])
    try:
        if match["day"]:
            start = datetime(year, int(match["month"]), int(match["day"]), tzinfo=UTC)
            return start, start + timedelta(days=1)
        if match["month"]:
            return _months(year, int(match["month"]), 1)
        if match["quarter"]:
            if match["quarter"] not in "1234":
                raise ValueError("quarter must be in 1..4")
            return _months(year, 3 * int(match["quarter"]) - 2, 3)
        return _months(year, 1, 12)
    except (ValueError, OverflowError) as error:
        raise _refusal(text, str(error)) from None


def _months(year: int, month: int, count: int) -> tuple[datetime, datetime]:
    start = datetime(year, month, 1, tzinfo=UTC)
    years, months = divmod(month - 1 + count, 12)
    return start, datetime(year + years, months + 1, 1, tzinfo=UTC)


def _refusal(text: str, why: str) -> CatalogError:
    return CatalogError(f"Date range {text!r} cannot be used: {why}.", do=_FORMS)
