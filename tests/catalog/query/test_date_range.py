from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_pipeline.catalog.query.date_range import parse_date_range
from cv_pipeline.errors import CatalogError


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2025", utc(2025, 1, 1), utc(2026, 1, 1)),
        ("2025-Q1", utc(2025, 1, 1), utc(2025, 4, 1)),
        ("2025-Q4", utc(2025, 10, 1), utc(2026, 1, 1)),
        ("2025-11", utc(2025, 11, 1), utc(2025, 12, 1)),
        ("2025-12", utc(2025, 12, 1), utc(2026, 1, 1)),
        ("2024-02-29", utc(2024, 2, 29), utc(2024, 3, 1)),  # a leap day
        ("2025-11-03", utc(2025, 11, 3), utc(2025, 11, 4)),
        ("2025-10-01/2026-01-01", utc(2025, 10, 1), utc(2026, 1, 1)),  # the end is exclusive
        ("2025-10/2026", utc(2025, 10, 1), utc(2026, 1, 1)),
        ("2025-Q2/2025-Q3", utc(2025, 4, 1), utc(2025, 7, 1)),
        (" 2025-10-01 / 2025-10-02 ", utc(2025, 10, 1), utc(2025, 10, 2)),
        ("2025-10-01/", utc(2025, 10, 1), None),
        ("/2025-10-01", None, utc(2025, 10, 1)),
        ("2025-10-01T08:30/", utc(2025, 10, 1, 8, 30), None),  # without a zone: UTC
        ("2025-10-01T08:30:00+02:00/", utc(2025, 10, 1, 6, 30), None),
        ("/2025-10-01T08:30:00Z", None, utc(2025, 10, 1, 8, 30)),
    ],
)
def test_forms(text: str, start: datetime | None, end: datetime | None) -> None:
    found = parse_date_range(text)
    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2025-13", "month must be in 1..12"),
        ("2025-00", "month must be in 1..12"),
        ("2025-Q5", "quarter must be in 1..4"),
        ("2025-Q0", "quarter must be in 1..4"),
        ("2025-02-30", "day"),
        ("2025-11-03/2025-11-01", "ends before it starts"),
        ("2025/2025", "is empty"),
        ("/", "neither a start nor an end"),
        ("", "is empty"),
        ("last week", "'last week', which is no date"),
        ("25-01-01", "no date"),
        ("2025-1", "no date"),
        ("2025/01/01", "no date"),
        ("0000", "year"),
        ("9999", "year"),  # its end cannot be written
        ("2025-10-01T25:00/", "hour"),
        ("2025-10-01T08:30", "no date"),  # one instant is no range
        ("0001-01-01T00:00+14:00/", "range"),
    ],
)
def test_impossible_ranges_name_the_forms(text: str, why: str) -> None:
    with pytest.raises(CatalogError, match=f"(?s){why}.*Accepted forms: 2025, 2025-Q4"):
        parse_date_range(text)


@given(st.text(alphabet="0123456789-/QTZ:+ ", max_size=24))
def test_any_text_is_a_range_or_a_clear_refusal(text: str) -> None:
    try:
        found = parse_date_range(text)
    except CatalogError:
        return
    assert found.start or found.end
    assert not (found.start and found.end) or found.start < found.end


@given(st.dates(max_value=datetime(9998, 12, 31).date()))
def test_a_day_is_the_24_hours_of_it(day: object) -> None:
    found = parse_date_range(str(day))
    assert found.start is not None
    assert found.end == found.start + timedelta(days=1)
