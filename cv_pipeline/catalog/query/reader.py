"""Nodes from the parser's tree of one text.

Names are resolved here, from outside to inside, because what a field means depends on the brackets
that it is in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lark import Token, Tree

from cv_pipeline.catalog.query.checks import (
    check_condition,
    check_count,
    check_depth,
    check_operand,
    check_seed,
    check_single,
    fitted,
    spec_of,
)
from cv_pipeline.catalog.query.fields import BLOCKS, FieldSpec, Kind, Scope
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
    Operator,
    Or,
    Order,
    Presence,
    QueryNode,
    Rows,
    Sample,
    Value,
    all_of,
)
from cv_pipeline.catalog.query.syntax_errors import located
from cv_pipeline.errors import QueryError

_OPERATORS: dict[str, Operator] = {
    "=": "=",
    "==": "=",
    "!=": "!=",
    "<>": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_INTEGER = re.compile(r"[+-]?[0-9]+")


class Reader:
    """Reads the tree of one text, which it knows to show where mistakes are.

    Every method raises :class:`QueryError` for what makes no sense.

    Args:
        text: the text that was parsed.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def query(self, tree: Tree[Token]) -> QueryNode:
        """A whole query."""
        where: Condition | None = None
        sample: Sample | None = None
        order_by: tuple[Order, ...] = ()
        limit: int | None = None
        for part in _trees(tree):
            match part.data:
                case "all_images":
                    pass
                case "sample":
                    sample = self._sample(part)
                case "order":
                    order_by = self.keys(_trees(part)[0])
                case "limit":
                    limit = self._whole(part.children[0], check_count, "The limit")
                case _:
                    where = self._condition(part, "images", 1)
        return QueryNode(where, sample, order_by, limit)

    def keys(self, tree: Tree[Token]) -> tuple[Order, ...]:
        """The keys of an order."""
        return tuple(
            Order(self.single(key), descending=key.data == "descending_key") for key in _trees(tree)
        )

    def single(self, tree: Tree[Token]) -> Operand:
        """What images can be ordered or sampled by."""
        operand = self._operand(_trees(tree)[0], "images", 1)
        with self._at(tree):
            check_single(operand)
        return operand

    def _sample(self, tree: Tree[Token]) -> Sample:
        size, by, seed = tree.children
        return Sample(
            self._whole(size, check_count, "The size of a sample"),
            by=self.single(by) if isinstance(by, Tree) else None,
            seed=0 if seed is None else self._whole(seed, check_seed, "The seed"),
        )

    def _condition(self, tree: Tree[Token], scope: Scope, depth: int) -> Condition:
        with self._at(tree):
            check_depth(depth)
        if tree.data in ("either", "both"):
            parts = tuple(self._condition(part, scope, depth + 1) for part in _trees(tree))
            return Or(parts) if tree.data == "either" else And(parts)
        if tree.data == "negated":
            return Not(self._condition(_trees(tree)[0], scope, depth + 1))
        what, *rest = tree.children
        if scope == "images" and tree.data != "bare" and _named(what, "dataset"):
            condition = self._of_dataset(tree, rest)
        else:
            operand = self._operand(_trees(tree)[0], scope, depth)
            with self._at(what):
                spec = check_operand(operand, scope)
            condition = self._test(tree, operand, spec, rest)
        with self._at(rest[-1] if rest else what):
            check_condition(condition, scope)
        return condition

    def _test(
        self, tree: Tree[Token], operand: Operand, spec: FieldSpec, rest: list[Any]
    ) -> Condition:
        """A comparison, which has not been checked yet."""
        match tree.data:
            case "comparison":
                return Comparison(operand, _OPERATORS[rest[0]], self._value(rest[1], spec))
            case "starts_with":
                return Comparison(operand, "starts with", self._value(rest[0], spec))
            case "in_list" | "not_in_list":
                found = Membership(operand, self._values(rest[0], spec))
                return found if tree.data == "in_list" else Not(found)
            case "all_of_list":
                return self._all_of(tree, operand, spec, rest[0])
            case "between" | "not_between":
                between = Between(operand, *(self._value(end, spec) for end in rest))
                return between if tree.data == "between" else Not(between)
            case "is_set":
                return Presence(operand)
            case "is_not_set":
                return Not(Presence(operand))
        if not isinstance(operand, Field):
            return Comparison(operand, ">=", 1)
        if spec.kind is not Kind.BOOLEAN:
            with self._at(tree):
                raise QueryError(
                    f"{spec.name} is {spec.kind.value}, and does not say what it should be.",
                    do=f"Write {spec.name} = …, or {spec.name} is set.",
                )
        return Comparison(operand, "=", True)

    def _all_of(
        self, tree: Tree[Token], operand: Operand, spec: FieldSpec, values: Tree[Token]
    ) -> Condition:
        if not spec.many:
            with self._at(tree):
                raise QueryError(
                    f"An image has one {spec.name}, which cannot be all of several.",
                    do=f"Write {spec.name} in (…).",
                )
        equal = [Comparison(operand, "=", value) for value in self._values(values, spec)]
        found = all_of(equal)
        assert found is not None
        return found

    def _of_dataset(self, tree: Tree[Token], rest: list[Any]) -> Condition:
        """``dataset = 'REF'`` and ``dataset in (…)``: short for being in a dataset version."""
        sign = str(rest[0]) if tree.data == "comparison" else ""
        if tree.data not in ("in_list", "not_in_list") and sign not in ("=", "==", "!=", "<>"):
            with self._at(tree):
                raise QueryError(
                    "dataset names versions, and can only be = one, or in several.",
                    do=f"Write {_example('dataset')}",
                )
        refs = _trees(rest[0]) if tree.data != "comparison" else [rest[1]]
        inside = [Comparison(Rows("dataset", self._text_of(r)), ">=", 1) for r in refs]
        found: Condition = Or(tuple(inside)) if len(inside) > 1 else inside[0]
        return Not(found) if tree.data == "not_in_list" or sign in ("!=", "<>") else found

    def _operand(self, tree: Tree[Token], scope: Scope, depth: int) -> Operand:
        match tree.data, tree.children:
            case "called", [Tree() as call]:
                return self._call(call, scope, depth)
            case "field_of_call", [Tree() as call, Token() as name]:
                return self._field_of_call(call, name, scope, depth)
        name = _token(tree.children[0])
        with self._at(name):
            if scope == "images" and name in BLOCKS:
                raise QueryError(
                    f"{name} is followed by brackets.", do=f"Write {_example(str(name))}"
                )
            spec = spec_of(str(name), scope)
        if tree.data == "field":
            return Field(spec.name)
        key = _token(tree.children[1])
        return Field(spec.name, _unquoted(key) if key.type == "TEXT" else str(key))

    def _call(self, tree: Tree[Token], scope: Scope, depth: int) -> Operand:
        name, *arguments = tree.children
        called = str(name)
        with self._at(name):
            if called not in BLOCKS or scope != "images":
                spec = spec_of(called, scope)
                if spec.key != "image" or len(arguments) != 1 or not _is_text(arguments[0]):
                    raise QueryError(
                        f"{called} is not followed by such brackets.",
                        do=f"Write {_example(spec.name, spec)}",
                    )
                return Field(spec.name, _unquoted(_token(arguments[0])))
        ref = None
        if arguments and _is_text(arguments[0]):
            ref = _unquoted(_token(arguments.pop(0)))
        for argument in arguments:
            if _is_text(argument):
                with self._at(argument):
                    raise QueryError("Text alone is no condition.", do=f"Write {_example(called)}")
        inside: Scope = called  # type: ignore[assignment]
        conditions = [self._condition(a, inside, depth + 1) for a in arguments]  # type: ignore[arg-type]
        operand: Operand
        if called == "errors":
            with self._at(tree):
                operand = _errors(ref or "", conditions)
        else:
            operand = Rows(called, ref, all_of(conditions))  # type: ignore[arg-type]
        return operand

    def _field_of_call(self, tree: Tree[Token], name: Token, scope: Scope, depth: int) -> Field:
        call = self._call(tree, scope, depth)
        with self._at(tree):
            if not isinstance(call, Rows) or call.of != "results" or call.condition:
                raise QueryError(
                    "Only the results of a model have fields of their own here.",
                    do="Write results('fruit@latest').score",
                )
        with self._at(name):
            return Field(f"results.{spec_of(str(name), 'results').name}", call.ref)

    def _values(self, tree: Tree[Token], spec: FieldSpec) -> tuple[Value, ...]:
        return tuple(self._value(value, spec) for value in _trees(tree))

    def _value(self, tree: Tree[Token], spec: FieldSpec) -> Value:
        token = _token(tree.children[0])
        if token.type == "TEXT":
            return _unquoted(token)
        return fitted(spec, token.type == "TRUE" if token.type != "NUMBER" else _number(token))

    def _text_of(self, tree: Tree[Token]) -> str:
        token = _token(tree.children[0])
        if token.type != "TEXT":
            with self._at(tree):
                raise QueryError("Expected a reference in quotes.")
        return _unquoted(token)

    def _whole(self, token: Any, check: Callable[[Any, str], None], what: str) -> int:
        value = _number(token)
        with self._at(token):
            check(value, what)
        return int(value)

    @contextmanager
    def _at(self, place: Any) -> Iterator[None]:
        """Show where errors raised within are: at this token or tree."""
        start = place.start_pos if isinstance(place, Token) else place.meta.start_pos
        try:
            yield
        except QueryError as error:
            raise located(error, self._text, start or 0) from None


def _errors(model: str, conditions: list[Condition]) -> Errors:
    match conditions:
        case []:
            return Errors(model)
        case [Comparison(Field("kind"), "=", str() as kind)]:
            return Errors(model, kind)  # type: ignore[arg-type]
    raise QueryError("Of errors, only one kind can be asked for.", do=f"Write {_example('errors')}")


def _number(token: Token) -> int | float:
    """The number that is written; infinite when it is too large."""
    value = float(token)
    return int(token) if _INTEGER.fullmatch(token) and math.isfinite(value) else value


def _unquoted(token: Token) -> str:
    quote = token[0]
    return token[1:-1].replace(quote * 2, quote)


def _example(name: str, spec: FieldSpec | None = None) -> str:
    """How a field or block is written, from the end of its description."""
    if spec is not None and spec.key is None:
        return f"{name} = …"
    return (spec.description if spec else BLOCKS[name]).rpartition(": ")[2]


def _is_text(node: Any) -> bool:
    return isinstance(node, Token) and node.type == "TEXT"


def _named(node: Any, name: str) -> bool:
    return isinstance(node, Tree) and node.data == "field" and node.children[0] == name


def _token(node: Any) -> Token:
    assert isinstance(node, Token)
    return node


def _trees(tree: Tree[Token]) -> list[Tree[Token]]:
    return [child for child in tree.children if isinstance(child, Tree)]
