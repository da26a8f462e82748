"""Whether a query makes sense: fields exist, and are compared in ways that they can be.

Both forms of the language and queries built in Python pass through here, so the compiler meets
none that it cannot compile. Nothing here looks at data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from cv_pipeline.catalog.query.dates import edges, period
from cv_pipeline.catalog.query.fields import ALIASES, BLOCKS, FIELDS, FieldSpec, Kind, Scope
from cv_pipeline.catalog.query.nodes import (
    And,
    Between,
    Comparison,
    Condition,
    Errors,
    Field,
    Membership,
    Not,
    Operand,
    Or,
    Presence,
    QueryNode,
    Rows,
    Test,
    Value,
)
from cv_pipeline.catalog.query.text import operand_text
from cv_pipeline.errors import QueryError, nearest

ERROR_KINDS = ("any", "false_negative", "false_positive")
"""Kinds of errors that a model makes."""

MAX_DEPTH = 100
"""Levels of brackets, ``not``, ``and`` and ``or`` within each other that a query may have."""

MAX_TESTS = 100
"""Comparisons that a query may have: the time to plan a statement grows with their square."""

MAX_IMAGES = 1_000
"""Images that a query may name one by one: each of them is looked up."""

MAX_ORDER = 20
"""Keys that a query may be ordered by."""

MAX_TEXT = 65_536
"""Bytes that the text form of a query may have."""

MAX_INTEGER = 2**53
"""Greatest size of an integer: beyond it, numbers of a table are no longer exact."""


def spec_of(name: str, scope: Scope) -> FieldSpec:
    """The field of a name or of another name that it goes by.

    Raises:
        QueryError: there is none in that scope; the message names the nearest.
    """
    known = FIELDS[scope]
    spec = known.get(ALIASES[scope].get(name, name))
    if spec is not None:
        return spec
    elsewhere = [s for s, fields in FIELDS.items() if name in fields]
    if "images" in elsewhere:
        raise QueryError(
            f"There is no field {name!r} within {scope}(…): it is one of the image.",
            do="Write it outside the brackets.",
        )
    if elsewhere:
        blocks = " or ".join(f"{s}(…)" for s in elsewhere)
        where = f" within {scope}(…)" if scope != "images" else ""
        raise QueryError(
            f"There is no field {name!r}{where}, only within {blocks}.",
            do=f"Write {BLOCKS[elsewhere[0]].rpartition(': ')[2]}",
        )
    if scope != "images":
        raise QueryError(f"There is no field {name!r} within {scope}(…).", do=nearest(name, known))
    names = {n for n in known if "." not in n} | set(BLOCKS)
    raise QueryError(
        f"There is no field {name!r}.",
        do=f"{nearest(name, names)} A metadata key is written metadata.{name}",
    )


def check_query(query: QueryNode) -> None:
    """Check a whole query.

    Raises:
        QueryError: something in it makes no sense.
    """
    if query.where:
        check_condition(query.where, "images")
        count = sum(1 for _ in _tests(query.where, "images"))
        if count > MAX_TESTS:
            raise QueryError(
                f"The query makes {count:,} comparisons, of {MAX_TESTS} at most.",
                do="Write in (…) for many or.",
            )
        named = len(values_asked(query.where, "image"))
        if named > MAX_IMAGES:
            raise QueryError(
                f"The query names {named:,} images, of {MAX_IMAGES:,} at most.",
                do="Put a tag on them, and ask for the tag.",
            )
    if query.sample:
        check_count(query.sample.size, "The size of a sample")
        check_seed(query.sample.seed, "The seed")
        if query.sample.by:
            check_single(query.sample.by)
    if len(query.order_by) > MAX_ORDER:
        raise QueryError(
            f"The query is ordered by {len(query.order_by):,} keys, of {MAX_ORDER} at most.",
            do="Order by those that matter most.",
        )
    for order in query.order_by:
        check_single(order.by)
    if query.limit is not None:
        check_count(query.limit, "The limit")


def check_condition(condition: Condition, scope: Scope) -> None:
    """Check a condition on images, or on the rows within brackets.

    Raises:
        QueryError: something in it makes no sense.
    """
    for test, where in _tests(condition, scope):
        check_test(test, where)


def mentions(condition: Condition | None, *names: str) -> bool:
    """Whether a condition says anything about one of these fields of images."""
    return condition is not None and any(
        isinstance(test.operand, Field) and scope == "images" and test.operand.name in names
        for test, scope in _tests(condition, "images")
    )


def values_asked(condition: Condition | None, name: str) -> list[Value]:
    """The values that a condition asks whether a field of images is one of, in their order."""
    found: dict[Value, None] = {}
    for test, scope in _tests(condition, "images") if condition is not None else ():
        if isinstance(test.operand, Field) and (scope, test.operand.name) == ("images", name):
            match test:
                case Membership(values=values):
                    found |= dict.fromkeys(values)
                case Comparison(operator="=", value=value):
                    found[value] = None
    return list(found)


def _tests(condition: Condition, scope: Scope) -> Iterator[tuple[Test, Scope]]:
    """Every comparison in a condition, however deep, with the rows that it is about."""
    waiting: list[tuple[Condition, Scope, int]] = [(condition, scope, 1)]
    while waiting:
        node, scope, depth = waiting.pop()
        check_depth(depth)
        if isinstance(node, And | Or):
            if len(node.operands) < 2:
                raise QueryError("An and, or an or, needs two conditions at least.")
            waiting += [(o, scope, depth + 1) for o in node.operands]
        elif isinstance(node, Not):
            waiting.append((node.operand, scope, depth + 1))
        else:
            yield node, scope
            if isinstance(node.operand, Rows) and node.operand.condition:
                waiting.append((node.operand.condition, node.operand.of, depth + 1))


def fitted(spec: FieldSpec, value: Value) -> Value:
    """A value as the field holds it: a year may be written without quotes."""
    if spec.kind is Kind.DATE and isinstance(value, int) and not isinstance(value, bool):
        return f"{value:04}" if 0 < value < 10_000 else value
    return value


def check_depth(depth: int) -> None:
    """Refuse what is nested too deeply.

    Raises:
        QueryError: it is.
    """
    if depth > MAX_DEPTH:
        raise QueryError(
            f"The query is nested more than {MAX_DEPTH} levels deep.",
            do="Write it with fewer brackets: in (…) stands for many or.",
        )


def check_test(test: Test, scope: Scope) -> None:
    """Check one comparison by itself, without what may be in the brackets of its operand.

    Raises:
        QueryError: the field does not exist, or cannot be compared in that way.
    """
    spec = check_operand(test.operand, scope)
    match test:
        case Presence():
            if isinstance(test.operand, Rows):
                raise QueryError(
                    "How many rows there are is always known.",
                    do=f"Write {test.operand.of}(…) for one at least, {test.operand.of}(…) = 0 for"
                    " none.",
                )
        case Membership(values=values):
            if not values:
                raise QueryError(f"{spec.name} is compared with an empty list.")
            for value in values:
                _check_value(spec, value)
        case Between(low=low, high=high):
            _check_between(spec, low, high)
        case Comparison(operator=operator, value=value):
            _check_value(spec, value, span=operator in ("=", "!="))
            _check_operator(spec, operator, value)


def check_operand(operand: Operand, scope: Scope) -> FieldSpec:
    """Check what a comparison is about; what comes back describes its values.

    Raises:
        QueryError: it does not exist there.
    """
    if isinstance(operand, Field):
        spec = spec_of(operand.name, scope)
        if spec.key is None and operand.key is not None:
            raise QueryError(f"{spec.name} is one field: nothing can be named beside it.")
        if spec.key is not None and operand.key is None:
            raise QueryError(
                f"{spec.name} stands for many fields, and the query does not say which.",
                do=f"Write {spec.description.rpartition(': ')[2]}",
            )
        if operand.key is None:
            return spec
        if not operand.key and spec.key != "name":
            raise QueryError(f"{spec.name} does not say of which {spec.key}: its name is empty.")
        _check_text(operand.key)
        return replace(spec, name=operand_text(operand))
    name = "errors" if isinstance(operand, Errors) else operand.of
    if scope != "images":
        raise QueryError(f"{name}(…) cannot be asked within {scope}(…).")
    if isinstance(operand, Errors) and operand.kind not in ERROR_KINDS:
        raise QueryError(
            f"{operand.kind!r} is no kind of error.", do=nearest(operand.kind, ERROR_KINDS)
        )
    ref = operand.model if isinstance(operand, Errors) else operand.ref
    if name != "annotations" and not ref:
        raise QueryError(
            f"{name}(…) does not say of which {'version' if name == 'dataset' else 'model'}.",
            do=f"Write {BLOCKS[name].rpartition(': ')[2]}",
        )
    if name == "annotations" and ref is not None:
        raise QueryError("annotations(…) takes a condition, no reference.")
    _check_text(ref or "")
    return FieldSpec(f"{name}(…)", Kind.NUMBER, BLOCKS[name], "")


def check_single(operand: Operand) -> None:
    """Check that an operand can be ordered or sampled by.

    Raises:
        QueryError: it does not exist, or an image can have several values of it.
    """
    spec = check_operand(operand, "images")
    if spec.many:
        raise QueryError(f"An image can have several of {spec.name}: order or sample by another.")
    if isinstance(operand, Rows) and operand.condition:
        check_condition(operand.condition, operand.of)


def check_count(value: int, what: str) -> None:
    """Check that a limit or size is a positive integer of bearable size.

    Raises:
        QueryError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_INTEGER:
        raise QueryError(f"{what} must be a whole number from 1 on, not {value!r}.")


def check_seed(value: int, what: str) -> None:
    """Check that a seed is an integer from 0 on of bearable size.

    Raises:
        QueryError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise QueryError(f"{what} must be a whole number from 0 on, not {value!r}.")


def _check_value(spec: FieldSpec, value: Value, *, span: bool = True) -> None:
    """Check that a field can be compared with a value; a ``span`` of time may have two ends."""
    is_flag, is_text = isinstance(value, bool), isinstance(value, str)
    fits = {
        Kind.BOOLEAN: is_flag,
        Kind.NUMBER: not is_flag and not is_text,
        Kind.METADATA: not is_flag,
        Kind.ATTRIBUTE: True,
    }.get(spec.kind, is_text)
    if not fits:
        as_text = f"Write it in quotes: '{_shown(value)}'." if not is_text else ""
        raise QueryError(
            f"{spec.name} is {spec.kind.value}, and cannot be compared with {_shown(value)}.",
            do="" if spec.kind in (Kind.NUMBER, Kind.BOOLEAN) else as_text,
        )
    if isinstance(value, str):
        _check_text(value)
        if spec.kind is Kind.DATE:
            (period if span else edges)(value)
    elif not is_flag:
        _check_number(value)


def _check_number(value: int | float) -> None:
    if math.isnan(value):
        raise QueryError(
            "nan is no number that anything can equal.",
            do="What is unknown is asked for by: is not set.",
        )
    if math.isinf(value) or (isinstance(value, int) and abs(value) > MAX_INTEGER):
        raise QueryError(
            f"The number {_shown(value)} is too large to be compared exactly.",
            do=f"Whole numbers may go up to {MAX_INTEGER:,}.",
        )


def _check_text(text: str) -> None:
    if "\0" in text:
        raise QueryError(f"The text {_shown(text)} has a NUL character, which nothing can equal.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise QueryError(f"The text {_shown(text)} is not valid Unicode.") from None


def _check_between(spec: FieldSpec, low: Value, high: Value) -> None:
    for value in (low, high):
        _check_value(spec, value, span=False)
        _check_operator(spec, "between", value)
    if isinstance(low, str) != isinstance(high, str):
        raise QueryError(f"{_shown(low)} and {_shown(high)} are of two kinds: nothing is between.")
    before: bool = high < low  # type: ignore[operator]
    if spec.kind is Kind.DATE:
        before = edges(str(high))[1] <= edges(str(low))[0]
    if before:
        raise QueryError(
            f"Nothing is between {_shown(low)} and {_shown(high)}.", do="Write the smaller first."
        )


def _check_operator(spec: FieldSpec, operator: str, value: Value) -> None:
    if operator == "starts with":
        texts = (Kind.TEXT, Kind.METADATA, Kind.ATTRIBUTE)
        if spec.kind not in texts or not isinstance(value, str):
            raise QueryError(f"Only text starts with text, and {spec.name} does not here.")
        return
    if spec.many and operator != "=":
        raise QueryError(
            f"An image can have several of {spec.name}, so {operator} is not clear.",
            do=f"Write {spec.name} = …, not {spec.name} = …, or {spec.name} in (…).",
        )
    if operator in ("=", "!="):
        return
    if spec.kind in (Kind.BOOLEAN, Kind.IMAGE) or isinstance(value, bool):
        raise QueryError(
            f"{spec.name} has no order here, so {operator} cannot be used.", do="Use = or !=."
        )


def _shown(value: Value) -> str:
    text = value if isinstance(value, str) else f"{value}".lower()
    text = repr(text) if isinstance(value, str) else text
    return text if len(text) <= 60 else text[:57] + "…"
