"""Expectations on a table's columns, as data: what is expected in words, and how it is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Expectation:
    """One expectation.

    Attributes:
        says: what is expected, as a clause: ``image_id is unique``.
        kind: class of ``great_expectations.expectations``.
        arguments: its arguments.
    """

    says: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


def present(column: str) -> Expectation:
    """No value is null."""
    return Expectation(f"{column} is present", "ExpectColumnValuesToNotBeNull", {"column": column})


def unique(column: str) -> Expectation:
    """No value is there twice."""
    return Expectation(f"{column} is unique", "ExpectColumnValuesToBeUnique", {"column": column})


def one_of(column: str, values: Sequence[str]) -> Expectation:
    """Every value is one of a few."""
    shown = ", ".join(values[:6]) + (", …" if len(values) > 6 else "")
    return Expectation(
        f"{column} is one of {shown}",
        "ExpectColumnValuesToBeInSet",
        {"column": column, "value_set": list(values)},
    )


def matches(column: str, pattern: str, what: str) -> Expectation:
    """Every value matches a regular expression, which ``what`` names."""
    return Expectation(
        f"{column} is {what}",
        "ExpectColumnValuesToMatchRegex",
        {"column": column, "regex": pattern},
    )


def is_json(column: str) -> Expectation:
    """Every value is JSON."""
    return Expectation(
        f"{column} is JSON", "ExpectColumnValuesToBeJsonParseable", {"column": column}
    )


def at_least(column: str, low: float) -> Expectation:
    """No value is below ``low``."""
    return Expectation(
        f"{column} is {low:g} or more",
        "ExpectColumnValuesToBeBetween",
        {"column": column, "min_value": low},
    )


def between(column: str, low: float, high: float) -> Expectation:
    """Every value lies between two numbers, which count."""
    return Expectation(
        f"{column} lies between {low:g} and {high:g}",
        "ExpectColumnValuesToBeBetween",
        {"column": column, "min_value": low, "max_value": high},
    )


def above(larger: str, smaller: str) -> Expectation:
    """In every row one column is greater than another."""
    return Expectation(
        f"{larger} is above {smaller}",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": larger, "column_B": smaller},
    )
