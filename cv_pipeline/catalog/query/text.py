"""The canonical text of a query: reading it again gives the same query."""

from __future__ import annotations

import re

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

ALL_IMAGES = "all images"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# beyond it, a float has no digits after the point that an integer would lack
_WHOLE = 2**53


def to_text(query: QueryNode) -> str:
    """The text form of a query, such as ``width >= 640 order by brightness limit 10``."""
    parts = [condition_text(query.where) if query.where else ALL_IMAGES]
    if query.sample:
        by = f" by {operand_text(query.sample.by)}" if query.sample.by else ""
        parts.append(f"sample {query.sample.size}{by} seed {query.sample.seed}")
    if query.order_by:
        keys = (operand_text(o.by) + (" desc" if o.descending else "") for o in query.order_by)
        parts.append(f"order by {', '.join(keys)}")
    if query.limit is not None:
        parts.append(f"limit {query.limit}")
    return " ".join(parts)


def condition_text(condition: Condition) -> str:
    """The text form of a condition."""
    match condition:
        case Or(operands):
            return " or ".join(condition_text(o) for o in operands)
        case And(operands):
            return " and ".join(_within(o, Or) for o in operands)
        case Not(Membership() | Between() | Presence() as test):
            return _test_text(test, "not ")
        case Not(operand):
            return f"not {_within(operand, And, Or)}"
        case _:
            return _test_text(condition, "")


def _test_text(test: Test, negation: str) -> str:
    operand = operand_text(test.operand)
    match test:
        case Membership(values=values):
            return f"{operand} {negation}in ({', '.join(value_text(v) for v in values)})"
        case Between(low=low, high=high):
            return f"{operand} {negation}between {value_text(low)} and {value_text(high)}"
        case Presence():
            return f"{operand} is {negation}set"
        case Comparison(Rows() | Errors(), ">=", 1):
            return operand
        case Comparison(Field("labelled" | "taken_out" | "results.correct"), "=", True):
            return operand
        case Comparison(operator=operator, value=value):
            return f"{operand} {operator} {value_text(value)}"


def operand_text(operand: Operand) -> str:
    """The text form of what a condition is about."""
    match operand:
        case Field(name, None):
            return name
        case Field("similarity", key):
            return f"similarity({_quoted(key or '')})"
        case Field(name, key) if name.startswith("results."):
            return f"results({_quoted(key or '')}).{name.removeprefix('results.')}"
        case Field(name, key):
            plain = _NAME.fullmatch(key or "")
            return f"{name}.{key}" if plain else f"{name}[{_quoted(key or '')}]"
        case Errors(model, "any"):
            return f"errors({_quoted(model)})"
        case Errors(model, kind):
            return f"errors({_quoted(model)}, kind = {_quoted(kind)})"
        case Rows(of, ref, condition):
            inside = [_quoted(ref)] if ref is not None else []
            inside += [condition_text(condition)] if condition else []
            return f"{of}({', '.join(inside)})"


def value_text(value: Value) -> str:
    """The text form of a value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
        return str(int(value))
    return repr(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _within(condition: Condition, *looser: type[Condition]) -> str:
    """A condition inside one that binds more tightly than the ``looser`` kinds do."""
    text = condition_text(condition)
    return f"({text})" if isinstance(condition, looser) else text
