from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from cv_pipeline.annotations import values


@pytest.mark.parametrize(
    ("value", "text"),
    [(" a ", "a"), ("", None), ("  ", None), (5, None), (None, None), ("\ud800", None)],
)
def test_as_text(value, text):
    assert values.as_text(value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        ("1.5", 1.5),
        (math.inf, math.inf),
        (True, None),
        ("1_000", None),
        (10**400, None),
        ("", None),
        ([1], None),
    ],
)
def test_as_number(value, number):
    assert values.as_number(value) == number


def test_only_finite_numbers_are_finite():
    assert [values.as_finite(v) for v in (1, math.nan, math.inf, "x")] == [1.0, None, None, None]


@pytest.mark.parametrize(
    ("value", "identifier"),
    [(7, "7"), (7.0, "7"), ("7", "7"), (7.5, None), (True, None), (None, None), (10**200, None)],
)
def test_as_identifier(value, identifier):
    assert values.as_identifier(value) == identifier


@pytest.mark.parametrize(
    ("value", "size"), [("640", 640), (0, None), (-1, None), (math.nan, None), (2**31, None)]
)
def test_as_size(value, size):
    assert values.as_size(value) == size


def test_times_are_utc():
    noon = datetime(2025, 1, 1, 12)
    east = timezone(timedelta(hours=2))

    assert values.as_utc(noon) == noon.replace(tzinfo=UTC)
    assert values.as_utc(noon.replace(tzinfo=east)) == datetime(2025, 1, 1, 10, tzinfo=UTC)
    assert values.as_utc(datetime.min.replace(tzinfo=east)) is None
    assert values.as_utc(None) is None


def test_attributes_are_canonical():
    assert values.attributes_json({"b": [1, "ü"], "a": True}) == '{"a":true,"b":[1,"ü"]}'
    assert values.attributes_json({"a": math.nan}) is None
    assert values.attributes_json({"a": "\ud800"}) is None


@pytest.mark.parametrize("who", ["gold", " Gold ", {"username": "GOLD"}])
def test_no_person_is_called_as_known_truth_is(who):
    name = values.pseudonym(who)

    assert name.startswith("annotator-")
    assert name == values.pseudonym("gold")


def test_no_file_names_an_account_of_the_annotation_tool():
    name = values.pseudonym("studio-7")

    assert name == "annotator-studio-7"
    assert values.pseudonym(name) == name
    assert values.pseudonym("studio-lamp") == "studio-lamp"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025-03-01T12:00:00.5Z", datetime(2025, 3, 1, 12, microsecond=500_000, tzinfo=UTC)),
        ("2025-03-01", datetime(2025, 3, 1, tzinfo=UTC)),
        ("soon", None),
        ("", None),
        (5, None),
    ],
)
def test_as_time(text, time):
    assert values.as_time(text) == time


@pytest.mark.parametrize(
    ("name", "split"), [("valid", "val"), (" Train ", "train"), ("dev", None), (None, None)]
)
def test_as_split(name, split):
    assert values.as_split(name) == split
