"""Comparisons of one value as SQL, by the kind of the field; null where the value is unknown."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cv_pipeline.catalog.query.dates import edges, period
from cv_pipeline.catalog.query.fields import FieldSpec, Kind
from cv_pipeline.catalog.query.nodes import Between, Comparison, Membership, Presence, Test, Value
from cv_pipeline.catalog.query.statement import Statement

_FULL_ID = re.compile(r"[0-9a-fA-F]{64}")
_PREFIX = re.compile(r"[0-9a-fA-F]{8,63}")
_AFTER_HEX = "g"
"""A character that sorts after every hexadecimal digit."""

_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class _Reading:
    """SQL of one value as each type that it may have; null where it has another."""

    text: str
    number: str
    flag: str
    known: str

    def as_type_of(self, value: Value) -> str:
        """The reading to compare with a value."""
        if isinstance(value, bool):
            return self.flag
        return self.text if isinstance(value, str) else self.number


def predicate(
    spec: FieldSpec, test: Test, expression: str, statement: Statement, *, key: str | None = None
) -> str:
    """SQL of a comparison: true, false, or null where the value is unknown.

    Args:
        spec: the field that is compared.
        test: the comparison, which has been checked.
        expression: SQL of the field's value.
        statement: binds the values.
        key: name of the attribute, where the field is one.
    """
    if spec.kind is Kind.DATE:
        return _date_predicate(test, expression, statement)
    value = _reading(spec.kind, expression, key, statement)
    match test:
        case Presence():
            return f"{value.known} IS NOT NULL"
        case Comparison(operator="starts with", value=other):
            return f"starts_with({value.text}, {statement.bind(other)})"
        case Comparison(operator=sign, value=other):
            return f"{value.as_type_of(other)} {sign} {statement.bind(other)}"
        case Between(low=low, high=high):
            ends = f"{statement.bind(low)} AND {statement.bind(high)}"
            return f"{value.as_type_of(low)} BETWEEN {ends}"
        case Membership(values=values):
            sides: dict[str, list[str]] = {}
            for other in values:
                sides.setdefault(value.as_type_of(other), []).append(statement.bind(other))
            return _any(f"{side} IN ({', '.join(names)})" for side, names in sides.items())


def image_predicate(test: Test, statement: Statement) -> str:
    """SQL of whether an image is one, or one of those, that references name.

    A reference of 64 hexadecimal digits is an id; one of 8 or more is the beginning of an id or a
    path; everything else is a path.
    """
    match test:
        case Presence():
            return "true"
        case Membership(values=values):
            return _any(_is_image(str(v), statement) for v in values)
        case Comparison(operator=sign, value=value):
            return f"({'NOT ' if sign == '!=' else ''}({_is_image(str(value), statement)}))"
        case _:
            raise AssertionError(test)


def as_number(expression: str) -> str:
    """SQL of a text as the finite number that it is written as; null where it is none."""
    number = f"TRY_CAST({expression} AS DOUBLE)"
    return f"CASE WHEN isfinite({number}) THEN {number} END"


def holds(test: Test, value: int) -> bool:
    """Whether a comparison of a count holds for one value of it."""
    match test:
        case Comparison(operator=sign, value=other):
            return _HOLDS[sign](value, other)
        case Between(low=low, high=high):
            return bool(low <= value <= high)  # type: ignore[operator]
        case Membership(values=values):
            return value in values
        case Presence():
            raise AssertionError(test)


def _reading(kind: Kind, expression: str, key: str | None, statement: Statement) -> _Reading:
    if kind is Kind.METADATA:
        return _Reading(expression, as_number(expression), "NULL", expression)
    if kind is not Kind.ATTRIBUTE:
        return _Reading(expression, expression, expression, expression)
    pointer = "/" + (key or "").replace("~", "~0").replace("/", "~1")
    found = f"({expression}, {statement.bind(pointer)})"
    kind_of, text_of = f"json_type{found}", f"json_extract_string{found}"
    return _Reading(
        text=f"CASE WHEN {kind_of} = 'VARCHAR' THEN {text_of} END",
        number=f"CASE WHEN {kind_of} IN ('BIGINT', 'UBIGINT', 'DOUBLE')"
        f" THEN CAST({text_of} AS DOUBLE) END",
        flag=f"CASE WHEN {kind_of} = 'BOOLEAN' THEN {text_of} = 'true' END",
        known=f"nullif({kind_of}, 'NULL')",
    )


def _date_predicate(test: Test, expression: str, statement: Statement) -> str:
    def instant(moment: datetime) -> str:
        return f"CAST({statement.bind(moment.isoformat())} AS TIMESTAMPTZ)"

    def within(text: str) -> str:
        dates = period(text)
        ends = [f"{expression} >= {instant(dates.start)}"] if dates.start else []
        ends += [f"{expression} < {instant(dates.end)}"] if dates.end else []
        return f"({' AND '.join(ends)})"

    match test:
        case Presence():
            return f"{expression} IS NOT NULL"
        case Membership(values=values):
            return _any(within(str(v)) for v in values)
        case Between(low=low, high=high):
            start, end = edges(str(low))[0], edges(str(high))[1]
            return f"{expression} >= {instant(start)} AND {expression} < {instant(end)}"
        case Comparison(operator="=", value=value):
            return within(str(value))
        case Comparison(operator="!=", value=value):
            return f"NOT {within(str(value))}"
        case Comparison(operator=sign, value=value):
            start, end = edges(str(value))
            # not after a period is before its end, and after it is from its end on
            moment = start if sign in ("<", ">=") else end
            return f"{expression} {'<' if sign in ('<', '<=') else '>='} {instant(moment)}"


def _is_image(ref: str, statement: Statement) -> str:
    if _FULL_ID.fullmatch(ref):
        return f"images.image_id = {statement.bind(ref.lower())}"
    path = f"images.path = {statement.bind(ref)}"
    if not _PREFIX.fullmatch(ref):
        return path
    low = f"images.image_id >= {statement.bind(ref.lower())}"
    high = f"images.image_id < {statement.bind(ref.lower() + _AFTER_HEX)}"
    return f"{low} AND {high} OR {path}"


def _any(conditions: Iterable[str]) -> str:
    """SQL of whether one of them holds, in brackets: it becomes a part of longer conditions."""
    return f"({' OR '.join(conditions)})"
