"""Queries, drawn at random from the registry of fields: every field, every way to compare it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from cv_pipeline.catalog.query.fields import FIELDS, FieldSpec, Kind, Scope
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
    Order,
    Presence,
    QueryNode,
    Rows,
    Sample,
)
from tests.catalog.query.small_lakes import ATTRIBUTES, IDS, KEYS, MODELS, NUMBERS, PATHS, VALUES

PERIODS = ["2024", "2025", "2025-Q4", "2025-11", "2025-11-03", "2026"]
INTERVALS = [*PERIODS, "2025-11/", "/2025-11-03", "2025/2026", "2025-11-03T08:30:00Z/2026"]
INSTANTS = [*PERIODS, "2025-11-03T08:30:00Z", "2025-11-03T09:30:00.000001+01:00"]
TEXTS = [*VALUES, "00000000000000ff", "train", "bbox", "nobody"]
REFERENCES = [*IDS, IDS[0].upper(), IDS[0][:8], IDS[0][:9], "DEADBEEF", "deadbeef", *PATHS, "none"]
SIGNS = ("=", "!=", "<", "<=", ">", ">=")

_COUNT = FieldSpec("count", Kind.NUMBER, "", "")
_numbers = st.sampled_from([*NUMBERS, 100, 0.5])
_texts = st.sampled_from(TEXTS)


KINDS: list[tuple[Scope, Kind, bool]] = sorted(
    {
        (scope, spec.kind, spec.many)
        for scope, specs in FIELDS.items()
        for spec in specs.values()
        if scope != "errors"
    },
    key=lambda found: (found[0], found[1].name, found[2]),
)
"""Kinds of fields that there are: where, of which values, and whether an image has several."""


def fields_of(
    scope: Scope, kind: Kind | None = None, *, many: bool | None = None
) -> st.SearchStrategy[tuple[Field, FieldSpec]]:
    """Fields of a scope, with a key where they need one; of one kind, or of every kind as often."""
    keys = {"image": PATHS[:3], "model": [*MODELS, "nobody"]}

    def with_key(spec: FieldSpec) -> st.SearchStrategy[tuple[Field, FieldSpec]]:
        if spec.key is None:
            return st.just((Field(spec.name), spec))
        named = [*KEYS, "none"] if spec.name == "metadata" else [*ATTRIBUTES, "none"]
        names = keys.get(spec.key, named)
        return st.sampled_from(names).map(lambda key: (Field(spec.name, key), spec))

    wanted = [
        [s for s in FIELDS[scope].values() if (s.kind, s.many) == (k, several)]
        for where, k, several in KINDS
        if where == scope and kind in (None, k) and many in (None, several)
    ]
    return st.sampled_from(wanted).flatmap(st.sampled_from).flatmap(with_key)


def comparisons(scope: Scope, kind: Kind, *, many: bool) -> st.SearchStrategy[Condition]:
    """Single comparisons of fields of one kind; those within brackets count the rows."""
    single = fields_of(scope, kind, many=many).flatmap(lambda found: _tests(*found))
    if scope == "images":
        return single
    refs = st.none() if scope == "annotations" else st.sampled_from(MODELS)
    rows = st.builds(Rows, st.just(scope), refs, single | single.map(Not))
    return rows.flatmap(lambda operand: _tests(operand, _COUNT))


def values_of(kind: Kind) -> st.SearchStrategy[Any]:
    """Values that a field may be equal to."""
    return {
        Kind.TEXT: _texts,
        Kind.NUMBER: _numbers,
        Kind.BOOLEAN: st.booleans(),
        Kind.DATE: st.sampled_from(INTERVALS),
        Kind.IMAGE: st.sampled_from(REFERENCES),
        Kind.METADATA: _texts | _numbers,
        Kind.ATTRIBUTE: _texts | _numbers | st.booleans(),
    }[kind]


def _ordered(kind: Kind) -> st.SearchStrategy[Any]:
    """Pairs of values of one type that a field may lie between."""
    single = {
        Kind.DATE: [st.sampled_from(INSTANTS[:6])],
        Kind.NUMBER: [_numbers],
        Kind.TEXT: [_texts],
    }.get(kind, [_numbers, _texts])
    return st.one_of([st.tuples(s, s).map(sorted) for s in single])


@st.composite
def _tests(draw: st.DrawFn, operand: Operand, spec: FieldSpec) -> Condition:
    forms = ["equal", "in", "set"]
    if spec.kind not in (Kind.BOOLEAN, Kind.IMAGE) and not spec.many:
        forms += ["compare", "between"]
    if not spec.many:
        forms.append("unequal")
    if spec.kind in (Kind.TEXT, Kind.METADATA, Kind.ATTRIBUTE):
        forms.append("starts")
    if isinstance(operand, Rows):
        forms.remove("set")
    match draw(st.sampled_from(forms)):
        case "equal":
            return Comparison(operand, "=", draw(values_of(spec.kind)))
        case "unequal":
            return Comparison(operand, "!=", draw(values_of(spec.kind)))
        case "in":
            values = draw(st.lists(values_of(spec.kind), min_size=1, max_size=3))
            return Membership(operand, tuple(values))
        case "set":
            return Presence(operand)
        case "starts":
            return Comparison(operand, "starts with", draw(_texts | st.just("belt")))
        case "compare":
            values = st.sampled_from(INSTANTS) if spec.kind is Kind.DATE else _comparable(spec.kind)
            return Comparison(operand, draw(st.sampled_from(SIGNS[2:])), draw(values))
        case _:
            return Between(operand, *draw(_ordered(spec.kind)))


def _comparable(kind: Kind) -> st.SearchStrategy[Any]:
    return values_of(kind).filter(lambda value: not isinstance(value, bool))


def conditions(scope: Scope, *, max_leaves: int = 8) -> st.SearchStrategy[Condition]:
    """Conditions on images, or on the rows within brackets."""
    leaves = fields_of(scope).flatmap(lambda found: _tests(*found))
    if scope == "images":
        leaves = leaves | counts().flatmap(lambda operand: _tests(operand, _COUNT))
    return st.recursive(
        leaves,
        lambda inner: (
            inner.map(Not)
            | st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
            | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts)))
        ),
        max_leaves=max_leaves,
    )


def counts() -> st.SearchStrategy[Operand]:
    """Operands that are counted."""
    refs = st.sampled_from([*MODELS, "nobody"])
    kinds = st.sampled_from(["any", "false_negative", "false_positive"])
    rows = [
        st.builds(Rows, st.just(of), ref, st.none() | conditions(of, max_leaves=3))
        for of, ref in (
            ("annotations", st.none()),
            ("predictions", refs),
            ("dataset", refs),
            ("results", refs),
        )
    ]
    return st.one_of([*rows, st.builds(Errors, refs, kinds)])


def singles() -> st.SearchStrategy[Operand]:
    """What images can be ordered or sampled by."""
    return (
        fields_of("images").filter(lambda found: not found[1].many).map(lambda f: f[0]) | counts()
    )


def queries() -> st.SearchStrategy[QueryNode]:
    """Whole queries."""
    return st.builds(
        QueryNode,
        where=st.none() | conditions("images"),
        sample=st.none()
        | st.builds(
            Sample,
            st.integers(1, 6),
            by=st.none() | singles(),
            seed=st.integers(0, 3),
        ),
        order_by=st.lists(st.builds(Order, singles(), st.booleans()), max_size=2).map(tuple),
        limit=st.none() | st.integers(1, 5),
    )
