"""The text form of a query, read into nodes.

Every error shows the text with a caret below the place, says in plain words what was expected
there, and names the nearest known fields. Whatever the text, reading it ends with a query or with
a :class:`QueryError`.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cv_pipeline.catalog.query.checks import MAX_TEXT, check_query
from cv_pipeline.catalog.query.nodes import Operand, Order, QueryNode
from cv_pipeline.catalog.query.syntax_errors import located, syntax_error
from cv_pipeline.errors import QueryError

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

    from cv_pipeline.catalog.query.reader import Reader


def parse(text: str) -> QueryNode:
    """Read the text form of a query.

    Raises:
        QueryError: it cannot be understood; the message shows where.
    """
    query = _reader(text).query(_parsed(text, "start"))
    check_query(query)
    return query


def parse_order(text: str) -> tuple[Order, ...]:
    """Read the keys of an order, such as ``brightness, width desc``.

    Raises:
        QueryError: they cannot be understood.
    """
    return _reader(text).keys(_parsed(text, "keys"))


def parse_operand(text: str) -> Operand:
    """Read what a query may be sampled by, such as ``metadata.scene``.

    Raises:
        QueryError: it cannot be understood.
    """
    return _reader(text).single(_parsed(text, "single"))


def _reader(text: str) -> Reader:
    # lark takes a tenth of a second to import, which a query of keywords alone can do without
    from cv_pipeline.catalog.query.reader import Reader

    return Reader(text)


@functools.cache
def _grammar() -> Lark:
    from lark import Lark

    return Lark(
        (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8"),
        parser="lalr",
        start=["start", "keys", "single"],
        propagate_positions=True,
        maybe_placeholders=True,
    )


def _parsed(text: str, start: Literal["start", "keys", "single"]) -> Tree[Token]:
    from lark.exceptions import UnexpectedInput

    if "\0" in text:
        raise located(QueryError("The query has a NUL character."), text, text.index("\0"))
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise located(QueryError("The query is not valid Unicode."), text, error.start) from None
    if size > MAX_TEXT:
        raise QueryError(
            f"The query is {size:,} bytes long, of {MAX_TEXT:,} at most.",
            do="Put a tag on the images that it lists, and ask for the tag.",
        )
    try:
        return _grammar().parse(text, start=start)
    except UnexpectedInput as error:
        raise syntax_error(error, text) from None
