"""A query as one DuckDB statement over the relations of a snapshot.

Every value is bound as a parameter and every name in the statement comes from the registry of
fields. Logic has two values: a comparison with what is unknown does not hold, and its ``not`` does.
"""

from __future__ import annotations

from dataclasses import dataclass

from cv_pipeline.catalog.query.checks import MAX_TEXT, check_query, mentions, spec_of
from cv_pipeline.catalog.query.fields import FieldSpec, Kind, Scope
from cv_pipeline.catalog.query.nodes import (
    And,
    Comparison,
    Condition,
    Errors,
    Field,
    Not,
    Operand,
    Or,
    QueryNode,
    Rows,
    Test,
)
from cv_pipeline.catalog.query.predicates import as_number, holds, image_predicate, predicate
from cv_pipeline.catalog.query.sampling import sample_steps
from cv_pipeline.catalog.query.statement import Parameter, Reference, Statement
from cv_pipeline.catalog.query.text import to_text
from cv_pipeline.errors import QueryError

_ERROR_COUNTS = {
    "false_negative": "false_negatives",
    "false_positive": "false_positives",
    "any": "(false_negatives + false_positives)",
}
_NUMBER = FieldSpec("count", Kind.NUMBER, "", "")


@dataclass(frozen=True)
class CompiledQuery:
    """A query ready to be run.

    Attributes:
        sql: one SELECT of ``n``, the numbers of the images in their order.
        parameters: values that are bound in it, by name.
        text: the query in its canonical text form.
        references: what must be resolved and registered under its relation's name.
        relations: relations of the snapshot that the statement reads, sorted.
    """

    sql: str
    parameters: dict[str, Parameter]
    text: str
    references: tuple[Reference, ...]
    relations: tuple[str, ...]


def compile_query(query: QueryNode) -> CompiledQuery:
    """Compile a query; nothing is evaluated.

    Images that were taken out are left out, unless the condition says something about
    ``taken_out`` or ``taken_out_at``. Without an order the images come by id; ties too, and what is
    unknown comes last.

    Raises:
        QueryError: a field is not known or cannot be used like that, or the query is too long to
            be written down and asked again.
    """
    check_query(query)
    text = to_text(query)
    if len(text.encode()) > MAX_TEXT:
        raise QueryError(
            f"The query is {len(text.encode()):,} bytes long as text, of {MAX_TEXT:,} at most.",
            do="Put a tag on the images that it lists, and ask for the tag.",
        )
    statement = Statement()
    where = [_condition(c, "images", statement) for c in _conjuncts(query.where)]
    if not mentions(query.where, "taken_out", "taken_out_at"):
        where.append("NOT taken_out")
    steps: list[str] = []
    if query.sample:
        by = _scalar(query.sample.by, statement) if query.sample.by else None
        steps = sample_steps(query.sample, where=where, by=by, statement=statement)
        where = ["images.n IN (SELECT n FROM sampled)"]
    joins, keys = [], []
    for order in query.order_by:
        join, expressions = _scalar(order.by, statement)
        joins.append(join)
        direction = "DESC" if order.descending else "ASC"
        keys += [f"{e} {direction} NULLS LAST" for e in expressions]
    lines = [
        *(["WITH " + ",\n".join(steps)] if steps else []),
        "SELECT images.n",
        "FROM images",
        *(join for join in joins if join),
        *(f"{'AND' if n else 'WHERE'} {c}" for n, c in enumerate(where)),
        f"ORDER BY {', '.join([*keys, 'images.n'])}",
        *([f"LIMIT {statement.bind(query.limit)}"] if query.limit is not None else []),
    ]
    return CompiledQuery(
        sql="\n".join(lines),
        parameters=statement.parameters,
        text=text,
        references=tuple(statement.references.values()),
        relations=tuple(sorted(statement.relations | {"images"})),
    )


def _conjuncts(condition: Condition | None) -> tuple[Condition, ...]:
    if condition is None:
        return ()
    return condition.operands if isinstance(condition, And) else (condition,)


def _condition(condition: Condition, scope: Scope, statement: Statement) -> str:
    """SQL that is true or false for every row, never null."""
    if isinstance(condition, And | Or):
        word = " AND " if isinstance(condition, And) else " OR "
        return f"({word.join(_condition(o, scope, statement) for o in condition.operands)})"
    if isinstance(condition, Not):
        return f"NOT {_condition(condition.operand, scope, statement)}"
    if isinstance(condition.operand, Rows):
        return _rows(condition.operand, condition, statement)
    if isinstance(condition.operand, Errors):
        source, value = _errors(condition.operand, statement)
        found = predicate(_NUMBER, condition, value, statement)
        return f"(images.n IN (SELECT n FROM {source} WHERE {found}))"
    return _field(condition.operand, condition, scope, statement)


def _field(field: Field, test: Test, scope: Scope, statement: Statement) -> str:
    spec = spec_of(field.name, scope)
    if spec.kind is Kind.IMAGE:
        return image_predicate(test, statement)
    if spec.relation is None:
        found = predicate(spec, test, spec.expression, statement, key=field.key)
        return f"coalesce({found}, false)" if spec.nullable else f"({found})"
    source, wanted = _source(field, spec, statement)
    found = predicate(spec, test, spec.expression, statement)
    return f"(images.n IN (SELECT n FROM {source} WHERE {wanted}{found}))"


def _source(field: Field, spec: FieldSpec, statement: Statement) -> tuple[str, str]:
    """The relation that a field is in, and the condition that picks it there, ending in AND."""
    if spec.relation in ("results", "similar"):
        return statement.refer(spec.relation, field.key or ""), ""
    assert spec.relation is not None
    wanted = f"key = {statement.bind(field.key or '')} AND " if spec.key else ""
    return statement.read(spec.relation), wanted


def _errors(errors: Errors, statement: Statement) -> tuple[str, str]:
    return statement.refer("results", errors.model), _ERROR_COUNTS[errors.kind]


def _matching(rows: Rows, statement: Statement) -> str:
    """FROM and WHERE of the rows that are counted."""
    if rows.of == "annotations":
        source = statement.read("annotations")
    else:
        source = statement.refer(rows.of, rows.ref or "")
    if rows.condition is None:
        return f"FROM {source}"
    return f"FROM {source} WHERE {_condition(rows.condition, rows.of, statement)}"


def _rows(rows: Rows, test: Test, statement: Statement) -> str:
    """A comparison of a number of rows; images without any are found by what they are not in."""
    matching = _matching(rows, statement)
    without = holds(test, 0)
    having = ""
    if not _asks_whether(test):
        found = predicate(_NUMBER, test, "count(*)", statement)
        having = f" GROUP BY n HAVING {f'NOT ({found})' if without else found}"
    return f"(images.n {'NOT ' if without else ''}IN (SELECT n {matching}{having}))"


def _asks_whether(test: Test) -> bool:
    """Whether a comparison of a count tells none from some, and nothing else."""
    told = {(">=", 1), (">", 0), ("=", 0), ("!=", 0), ("<", 1), ("<=", 0)}
    return isinstance(test, Comparison) and (test.operator, test.value) in told


def _scalar(operand: Operand, statement: Statement) -> tuple[str, list[str]]:
    """How one value for each image is had: a JOIN (or none), and what to order by, null last."""
    if isinstance(operand, Field):
        spec = spec_of(operand.name, "images")
        if spec.relation is None:
            return "", ["images.n" if spec.kind is Kind.IMAGE else spec.expression]
        source, wanted = _source(operand, spec, statement)
        inner = f"SELECT n, {spec.expression} AS value FROM {source}"
        inner += f" WHERE {wanted.removesuffix(' AND ')}" if wanted else ""
    elif isinstance(operand, Errors):
        source, value = _errors(operand, statement)
        inner = f"SELECT n, {value} AS value FROM {source}"
    else:
        inner = f"SELECT n, count(*) AS value {_matching(operand, statement)} GROUP BY n"
    name = statement.name_join()
    join = f"LEFT JOIN ({inner}) AS {name} ON {name}.n = images.n"
    value = f"{name}.value"
    if isinstance(operand, Rows):
        return join, [f"coalesce({value}, 0)"]
    if isinstance(operand, Field) and operand.name == "metadata":
        return join, [as_number(value), value]
    return join, [value]
