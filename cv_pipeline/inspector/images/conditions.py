"""Conditions that are added to the text of a query, and taken out of it, by a click.

The text of the query is the whole state: what a filter shows as chosen is read from it, and what a
click does is another text. Values become nodes and never parts of a text, so that whatever a label
or tag holds stays a value. Conditions within ``or`` or brackets are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cv_pipeline.catalog.query import QueryNode, parse, to_text
from cv_pipeline.catalog.query.nodes import (
    And,
    Between,
    Comparison,
    Condition,
    Field,
    Membership,
    Not,
    Presence,
    Value,
    all_of,
)
from cv_pipeline.catalog.query.text import ALL_IMAGES
from cv_pipeline.errors import QueryError

How = Literal["toggle", "exclude", "clear"]

SEVERAL = frozenset({"label", "tag", "annotator", "set_aside"})
"""Fields that an image can have several values of: choosing two asks for both."""


@dataclass(frozen=True)
class Choice:
    """What a query says of one field at its top.

    Attributes:
        values: the image must have these (all of them where it can have several, else one).
        others: it must have none of these.
        unset: True: it must have no value; False: it must have one; None: nothing is said.
        low: the value must be this or more.
        high: the value must be this or less.
    """

    values: tuple[Value, ...] = ()
    others: tuple[Value, ...] = ()
    unset: bool | None = None
    low: float | None = None
    high: float | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is said."""
        return self == Choice()


def field_of(name: str) -> Field:
    """The field that a filter is about, by the filter's name: ``tag``, ``metadata:scene``.

    What stands behind the first colon is the key: of metadata, or the model of results.
    """
    field, colon, key = name.partition(":")
    return Field(field, key if colon else None)


def filter_name(field: Field) -> str:
    """The name of the filter of a field; see :func:`field_of`."""
    return field.name if field.key is None else f"{field.name}:{field.key}"


def choice_of(query: QueryNode, field: Field) -> Choice:
    """What a query says of a field."""
    values: list[Value] = []
    others: list[Value] = []
    found = Choice()
    for condition in _conjuncts(query.where):
        if not _is_about(condition, field):
            continue
        match condition:
            case Comparison(_, "=", value):
                values.append(value)
            case Membership(_, several):
                values.extend(several)
            case Not(Comparison(_, "=", value)):
                others.append(value)
            case Not(Membership(_, several)):
                others.extend(several)
            case Not(Presence()):
                found = replace(found, unset=True)
            case Presence():
                found = replace(found, unset=False)
            case Between(_, low, high):
                found = replace(found, low=_number(low), high=_number(high))
            case Comparison(_, ">" | ">=", value):
                found = replace(found, low=_number(value))
            case Comparison(_, "<" | "<=", value):
                found = replace(found, high=_number(value))
    return replace(found, values=tuple(values), others=tuple(others))


def without(query: QueryNode, field: Field) -> QueryNode:
    """The query with nothing said of a field at its top."""
    kept = [c for c in _conjuncts(query.where) if not _is_about(c, field)]
    return replace(query, where=all_of(kept))


def toggled(query: QueryNode, field: Field, value: Value | None, how: How) -> QueryNode:
    """The query after a value of a filter was clicked.

    Args:
        query: before.
        field: what the filter is about.
        value: the value; None for images that have none.
        how: ``toggle`` asks for it or takes that back, ``exclude`` asks for images without it or
            takes that back, ``clear`` takes back all that is said of the field.
    """
    if how == "clear":
        return without(query, field)
    chosen = choice_of(query, field)
    values, others, unset = list(chosen.values), list(chosen.others), chosen.unset
    if value is None:
        wanted = how == "toggle"
        unset = None if unset is wanted else wanted
        values, others = ([], others) if unset else (values, others)
    else:
        of, against = (values, others) if how == "toggle" else (others, values)
        if value in of:
            of.remove(value)
        else:
            of.append(value)
            if value in against:
                against.remove(value)
            unset = None
    return _with(query, field, _conditions(field, values, others, unset))


def ranged(query: QueryNode, field: Field, low: float | None, high: float | None) -> QueryNode:
    """The query with a field between two numbers, both included; None leaves an end open."""
    if low is not None and high is not None:
        return _with(query, field, [Between(field, low, high)])
    if low is not None:
        return _with(query, field, [Comparison(field, ">=", low)])
    if high is not None:
        return _with(query, field, [Comparison(field, "<=", high)])
    return without(query, field)


def with_condition(query: QueryNode, condition: Condition) -> QueryNode:
    """The query with one more condition, unless it has it already."""
    have = _conjuncts(query.where)
    return query if condition in have else replace(query, where=all_of([*have, condition]))


def text_of(query: QueryNode) -> str:
    """The text of a query, which can be read again; empty for all images.

    Raises:
        QueryError: what it says cannot be asked.
    """
    text = to_text(query)
    parse(text)
    return "" if text == ALL_IMAGES else text


def read(text: str) -> QueryNode:
    """The query of a text; all images where it is blank.

    Raises:
        QueryError: it cannot be understood.
    """
    return parse(text) if text.strip() else QueryNode()


def _with(query: QueryNode, field: Field, conditions: Sequence[Condition]) -> QueryNode:
    """The query with these in place of what it said of a field, where it said the first of it."""
    before = _conjuncts(query.where)
    at = next((n for n, c in enumerate(before) if _is_about(c, field)), len(before))
    kept = [c for c in before[:at] if not _is_about(c, field)]
    rest = [c for c in before[at:] if not _is_about(c, field)]
    return replace(query, where=all_of([*kept, *conditions, *rest]))


def _conditions(
    field: Field, values: Sequence[Value], others: Sequence[Value], unset: bool | None
) -> list[Condition]:
    found: list[Condition] = []
    if unset is not None:
        found.append(Not(Presence(field)) if unset else Presence(field))
    if field.name in SEVERAL or len(values) < 2:
        found += [Comparison(field, "=", value) for value in values]
    else:
        found.append(Membership(field, tuple(values)))
    return found + [Not(Comparison(field, "=", value)) for value in others]


def _conjuncts(condition: Condition | None) -> tuple[Condition, ...]:
    if condition is None:
        return ()
    return condition.operands if isinstance(condition, And) else (condition,)


def _is_about(condition: Condition, field: Field) -> bool:
    """Whether a condition is one that a filter of the field can have made."""
    inner = condition.operand if isinstance(condition, Not) else condition
    if isinstance(inner, Comparison):
        signs = ("=",) if isinstance(condition, Not) else ("=", "<", "<=", ">", ">=")
        return inner.operand == field and inner.operator in signs
    if isinstance(inner, Membership | Presence):
        return inner.operand == field
    return isinstance(condition, Between) and condition.operand == field


def _number(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def checked_how(how: str) -> How:
    """One of the ways to click.

    Raises:
        QueryError: it is another word.
    """
    match how:
        case "toggle" | "exclude" | "clear":
            return how
    raise QueryError(f"{how!r} is no way to filter.", do="Use toggle, exclude or clear.")
