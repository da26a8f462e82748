"""Expectations on a table's columns, as data: what is expected in words, and how it is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

OF_VALUES = frozenset(
    f"ExpectColumn{ending}"
    for ending in (
        "ValueLengthsToBeBetween",
        "ValueLengthsToEqual",
        "ValuesToBeBetween",
        "ValuesToBeInSet",
        "ValuesToBeJsonParseable",
        "ValuesToBeNull",
        "ValuesToMatchRegex",
        "ValuesToNotBeInSet",
        "ValuesToNotBeNull",
        "ValuesToNotMatchRegex",
    )
)
"""Expectations that hold of a column when they hold of each of its distinct values."""


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

    @property
    def of_values(self) -> str | None:
        """The column whose values decide, each by itself, however often it is there; or None."""
        by_value = self.kind in OF_VALUES and "mostly" not in self.arguments
        return str(self.arguments["column"]) if by_value else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it looks at."""
        names = [v for k, v in self.arguments.items() if k.lower().startswith("column")]
        return tuple(n for name in names for n in ([name] if isinstance(name, str) else name))

    def on(self, column: str) -> Expectation:
        """The same expectation on another column, of one that is about a single column."""
        return replace(self, arguments={**self.arguments, "column": column})


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


def unique_together(*columns: str) -> Expectation:
    """No two rows have the same values in several columns."""
    return Expectation(
        f"{' and '.join(columns)} are unique together",
        "ExpectCompoundColumnsToBeUnique",
        {"column_list": list(columns)},
    )


def above(larger: str, smaller: str) -> Expectation:
    """In every row one column is greater than another."""
    return Expectation(
        f"{larger} is above {smaller}",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": larger, "column_B": smaller},
    )
