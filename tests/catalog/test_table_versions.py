from __future__ import annotations

import datetime as dt

import pytest

from cv_pipeline.catalog.table_versions import TableVersion, latest_at, spans


def hour(at: int) -> dt.datetime:
    return dt.datetime(2025, 1, 1, at, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("versions", "at", "expected"),
    [
        ([], 5, 0),  # nothing was ever written
        ([1, 2, 3], 0, 0),
        ([1, 2, 3], 1, 1),  # the very moment counts
        ([1, 2, 3], 9, 3),
        ([2, 3], 1, None),  # version 1 may have been there already
        ([1, 3], 2, None),  # version 2 may have been there already
        ([1, 3, 4], 3, 3),
        ([1, 3, 5], 5, 5),
    ],
)
def test_the_latest_version_of_a_moment(versions: list[int], at: int, expected: int | None) -> None:
    assert latest_at([TableVersion(v, hour(v)) for v in versions], hour(at)) == expected


@pytest.mark.parametrize(
    ("versions", "expected"),
    [([], "0"), ([1, 2, 3], "0 to 3"), ([2], "0, 2"), ([3, 7, 8, 9, 12], "0, 3, 7 to 9, 12")],
)
def test_versions_in_words(versions: list[int], expected: str) -> None:
    assert spans(versions) == expected
