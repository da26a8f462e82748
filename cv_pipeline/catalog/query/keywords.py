"""The keyword form of a query: what ``Datalake.query(…)`` and ``dataset.query`` are written in.

Every keyword says what one field should be, all of them must hold, and the result is the same tree
that the text form gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from datetime import date
from numbers import Integral, Real
from typing import Any

from cv_pipeline.catalog.query.checks import (
    check_condition,
    check_operand,
    check_query,
    fitted,
    spec_of,
)
from cv_pipeline.catalog.query.fields import FIELDS, FieldSpec, Kind
from cv_pipeline.catalog.query.nodes import (
    And,
    Between,
    Comparison,
    Condition,
    Field,
    Membership,
    Not,
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
from cv_pipeline.catalog.query.parse import parse, parse_operand, parse_order
from cv_pipeline.errors import QueryError, nearest

_OPERATORS: tuple[Operator, ...] = ("=", "!=", "<", "<=", ">", ">=", "starts with")
_SIGNS = (*_OPERATORS, "in", "between", "set")
_LISTS = ("any", "all", "none")
_CLAUSES = ("where", "sample", "sample_by", "seed", "order_by", "limit")


def _keywords() -> Iterator[str]:
    yield from _CLAUSES
    yield "dataset"
    for spec in FIELDS["images"].values():
        if "." not in spec.name:
            yield from (spec.name, *spec.aliases)
        if spec.many:
            names = spec.aliases or (spec.name,)
            yield from (f"{name}_{how}" for name in names for how in _LISTS)


KEYWORDS = tuple(_keywords())
"""Every keyword that there is."""


def from_keywords(where: str | None = None, **keywords: Any) -> QueryNode:
    """A query from keywords, all of which must hold; ``None`` says nothing.

    Args:
        where: the text form; the keywords are added to it.
        **keywords: names of :data:`KEYWORDS`, as docs/query.md tells of them.

    Raises:
        QueryError: a keyword is unknown (the nearest is named), or its value makes no sense.
    """
    given = {name: value for name, value in keywords.items() if value is not None}
    written = parse(_text(where, "where")) if where is not None else QueryNode()
    split = given.pop("split") if "dataset" in given and "split" in given else None
    conditions = [written.where] if written.where else []
    for name, value in given.items():
        if name == "dataset":
            conditions.append(_of_dataset(value, split))
        elif name not in _CLAUSES:
            conditions.append(keyword_condition(name, value))
    for clause, said in (
        ("sample", written.sample),
        ("order_by", written.order_by),
        ("limit", written.limit),
    ):
        if said and clause in given:
            raise QueryError(f"{clause} is said twice: in where, and beside it.", do="Say it once.")
    query = QueryNode(
        all_of(conditions),
        sample=written.sample or _sample(given),
        order_by=written.order_by or _order(given.get("order_by", ())),
        limit=written.limit or _whole(given.get("limit")),
    )
    if query.sample is None or written.sample is not None:
        for name in ("sample_by", "seed"):
            if name in given:
                raise QueryError(
                    f"{name} is about a sample, and none is asked for.", do="Add sample=…"
                )
    check_query(query)
    return query


def keyword_condition(name: str, value: Any) -> Condition:
    """What one keyword asks for.

    Args:
        name: a keyword that is about a field.
        value: what it should be.

    Raises:
        QueryError: there is no such keyword, or the value makes no sense for it.
    """
    if name == "dataset":
        return _of_dataset(value, None)
    if name not in KEYWORDS:
        raise QueryError(f"There is no keyword {name!r}.", do=nearest(name, KEYWORDS))
    field, _, how = name.rpartition("_")
    if how in _LISTS:
        return _of_list(Field(spec_of(field, "images").name), value, how, name)
    spec = spec_of(name, "images")
    if spec.key is None:
        return _should(Field(spec.name), value, name)
    if not isinstance(value, Mapping) or not value:
        raise QueryError(
            f"{name} takes a mapping of keys to what each should be, not {_shown(value)}.",
            do=f"Write {name}={{'scene': 'outdoor'}}" if spec.key == "name" else "",
        )
    inner = [
        _should(Field(spec.name, _text(key, name)), wanted, f"{name}[{key!r}]")
        for key, wanted in value.items()
    ]
    return And(tuple(inner)) if len(inner) > 1 else inner[0]


def _should(field: Field, wanted: Any, name: str) -> Condition:
    """A field compared as a keyword says."""
    spec = check_operand(field, "images")
    found: Condition
    if wanted is None:
        found = Not(Presence(field))
    elif isinstance(wanted, Mapping):
        found = _by_signs(field, spec, wanted, name)
    elif _is_pair(spec, wanted):
        found = Between(field, *(_value(end, spec, name) for end in wanted))
    elif isinstance(wanted, list | tuple | Set):
        found = Membership(field, _values(wanted, spec, name))
    else:
        found = Comparison(field, "=", _value(wanted, spec, name))
    check_condition(found, "images")
    return found


def _by_signs(field: Field, spec: FieldSpec, wanted: Mapping[Any, Any], name: str) -> Condition:
    """A mapping of comparison signs to values, all of which must hold."""
    parts: list[Condition] = []
    for sign, value in wanted.items():
        if sign in _OPERATORS:
            parts.append(Comparison(field, sign, _value(value, spec, name)))
        elif sign == "in":
            parts.append(Membership(field, _values(value, spec, name)))
        elif sign == "between":
            ends = _values(value, spec, name)
            if len(ends) != 2:
                raise QueryError(f"{name}: between takes two values, not {_shown(value)}.")
            parts.append(Between(field, *ends))
        elif sign == "set":
            if not isinstance(value, bool):
                raise QueryError(f"{name}: set is true or false, not {_shown(value)}.")
            parts.append(Presence(field) if value else Not(Presence(field)))
        else:
            raise QueryError(f"{name}: {sign!r} is no comparison.", do=nearest(str(sign), _SIGNS))
    found = all_of(parts)
    if found is None:
        raise QueryError(f"{name} is an empty mapping.", do=f"Compare by {', '.join(_SIGNS)}.")
    return found


def _of_list(field: Field, wanted: Any, how: str, name: str) -> Condition:
    """Any, all or none of several values of a field that an image can have several of."""
    values = _values(
        [wanted] if isinstance(wanted, str) else wanted, spec_of(field.name, "images"), name
    )
    found: Condition = Membership(field, values)
    check_condition(found, "images")
    if how == "all":
        equal = all_of([Comparison(field, "=", value) for value in values])
        assert equal is not None
        return equal
    return Not(found) if how == "none" else found


def _of_dataset(wanted: Any, split: Any) -> Condition:
    """Being in a dataset version, or in one of several; in a split of it, where one is said."""
    inside: Condition | None = None
    if split is not None:
        spec = spec_of("split", "dataset")
        if isinstance(split, list | tuple | Set):
            inside = Membership(Field("split"), _values(split, spec, "split"))
        else:
            inside = Comparison(Field("split"), "=", _value(split, spec, "split"))
    refs = sorted(wanted) if isinstance(wanted, Set) else wanted
    refs = refs if isinstance(refs, list | tuple) else [refs]
    if not refs:
        raise QueryError("dataset is an empty list.")
    rows = [Rows("dataset", _text(ref, "dataset"), inside) for ref in refs]
    parts = [Comparison(row, ">=", 1) for row in rows]
    found: Condition = Or(tuple(parts)) if len(parts) > 1 else parts[0]
    check_condition(found, "images")
    return found


def _sample(given: Mapping[str, Any]) -> Sample | None:
    if "sample" not in given:
        return None
    by = given.get("sample_by")
    return Sample(
        _whole(given["sample"]) or 0,
        by=None if by is None else parse_operand(_text(by, "sample_by")),
        seed=_whole(given.get("seed")) or 0,
    )


def _order(keys: Any) -> tuple[Order, ...]:
    texts = [keys] if isinstance(keys, str) else keys
    if not isinstance(texts, list | tuple):
        raise QueryError(f"order_by takes text such as 'brightness desc', not {_shown(keys)}.")
    return tuple(order for text in texts for order in parse_order(_text(text, "order_by")))


def _whole(value: Any) -> Any:
    """An integer of any library as Python's own; the check tells what is none."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


def _is_pair(spec: FieldSpec, wanted: Any) -> bool:
    """Whether a tuple is a range rather than a list: two numbers, or two dates."""
    return (
        isinstance(wanted, tuple)
        and len(wanted) == 2
        and not spec.many
        and (
            spec.kind in (Kind.NUMBER, Kind.DATE)
            or (spec.kind is Kind.METADATA and all(isinstance(end, Real) for end in wanted))
        )
    )


def _values(wanted: Any, spec: FieldSpec, name: str) -> tuple[Value, ...]:
    if not isinstance(wanted, list | tuple | Set):
        raise QueryError(f"{name} takes a list, not {_shown(wanted)}.")
    values = [_value(one, spec, name) for one in wanted]
    # a set has no order of its own, and the text of a query must not depend on one
    return tuple(
        sorted(values, key=lambda v: (str(type(v)), v)) if isinstance(wanted, Set) else values
    )


def _value(wanted: Any, spec: FieldSpec, name: str) -> Value:
    if isinstance(wanted, bool):
        return wanted
    if isinstance(wanted, str):
        return str(wanted)
    if isinstance(wanted, Integral):
        return fitted(spec, int(wanted))
    if isinstance(wanted, Real):
        return float(wanted)
    if isinstance(wanted, date) and spec.kind is Kind.DATE:
        return wanted.isoformat()
    raise QueryError(f"{name} cannot be compared with {_shown(wanted)}.")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise QueryError(f"{name} takes text, not {_shown(value)}.")
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
