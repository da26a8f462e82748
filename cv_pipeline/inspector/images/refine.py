"""The query that a click on a filter leads to, by the names that the filters have."""

from __future__ import annotations

from dataclasses import replace

from cv_pipeline.catalog.query import QueryNode
from cv_pipeline.catalog.query.checks import check_operand
from cv_pipeline.catalog.query.nodes import Comparison, Condition, Field, Value
from cv_pipeline.catalog.query.parse import parse_order
from cv_pipeline.errors import QueryError, nearest
from cv_pipeline.inspector.images.conditions import (
    checked_how,
    choice_of,
    field_of,
    ranged,
    toggled,
    with_condition,
    without,
)

ORDER = "order"
"""Name of what the images are ordered by."""
STATE = "state"
"""Name of the filter of :data:`FLAGS`."""

FLAGS: dict[str, Condition] = {
    "labelled": Comparison(Field("labelled"), "=", True),
    "unlabelled": Comparison(Field("labelled"), "=", False),
    "contested": Comparison(Field("disagreement"), ">", 0),
    "untouched": Comparison(Field("tags_count"), "=", 0),
}
"""States of an image's labels that have a name of their own."""


def refined(
    query: QueryNode,
    name: str,
    value: str | None,
    how: str = "toggle",
    *,
    low: float | None = None,
    high: float | None = None,
) -> QueryNode:
    """The query after a filter was changed.

    Args:
        query: before.
        name: name of the filter; ``order`` for what the images are ordered by.
        value: the value that was clicked, or the keys of the order.
        how: ``toggle``, ``exclude``, ``clear``, or ``range`` for a number between two ends.
        low: lower end; None for none.
        high: upper end; None for none.

    Raises:
        QueryError: there is no such filter, or it has no such value.
    """
    if name == ORDER:
        return replace(query, order_by=parse_order(value) if value else ())
    if name == STATE:
        return _flagged(query, value or "")
    field = field_of(name)
    check_operand(field, "images")
    if how == "range":
        return ranged(query, field, low, high)
    return toggled(query, field, _value(field, value), checked_how(how))


def _flagged(query: QueryNode, flag: str) -> QueryNode:
    if flag not in FLAGS:
        raise QueryError(f"There is no state {flag!r} of labels.", do=nearest(flag, FLAGS))
    condition = FLAGS[flag]
    assert isinstance(condition, Comparison)
    assert isinstance(condition.operand, Field)
    cleared = without(query, condition.operand)
    if choice_of(query, condition.operand) == choice_of(QueryNode(condition), condition.operand):
        return cleared
    return with_condition(cleared, condition)


def _value(field: Field, value: str | None) -> Value | None:
    """A value of a filter as the query has it; flags are true or false."""
    if field.name == "results.correct" and value is not None:
        if value not in ("true", "false"):
            raise QueryError(f"{value!r} is neither true nor false.")
        return value == "true"
    return value
