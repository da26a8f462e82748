"""Dates in a query, as instants to compare with; everything is UTC."""

from __future__ import annotations

from datetime import datetime, timedelta

from cv_pipeline.catalog.query.date_range import DateRange, parse_date_range
from cv_pipeline.errors import CatalogError, QueryError

_RESOLUTION = timedelta(microseconds=1)


def period(text: str) -> DateRange:
    """The interval that a date is compared with for being equal.

    Raises:
        QueryError: the text is no date range; the message names the forms.
    """
    try:
        return parse_date_range(text)
    except CatalogError as error:
        raise QueryError(error.what, do=error.do) from None


def edges(text: str) -> tuple[datetime, datetime]:
    """First instant of a period or time, and the first after it, for ``<``, ``>`` and the like.

    Raises:
        QueryError: the text is neither, or is an interval.
    """
    if "/" in text:
        raise QueryError(
            f"{text!r} is an interval, which nothing comes before or after.",
            do="Compare intervals with =, or name one period or time, such as '2025-11-03'.",
        )
    if "T" in text:
        start = period(f"{text}/").start
        assert start is not None
        return start, start + min(_RESOLUTION, datetime.max.replace(tzinfo=start.tzinfo) - start)
    whole = period(text)
    assert whole.start is not None
    assert whole.end is not None
    return whole.start, whole.end
