"""Mistakes in the text of a query, shown where they are and in plain words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cv_pipeline.errors import QueryError

if TYPE_CHECKING:
    from lark.exceptions import UnexpectedInput

# What may come next, in the order that it is told; what is left out here goes without saying.
_WORDS = {
    "NAME": "a field",
    "TEXT": "text in quotes",
    "NUMBER": "a number",
    "TRUE": "true",
    "FALSE": "false",
    "LPAR": "'('",
    "OPERATOR": "an operator such as = or <",
    "IN": "in",
    "BETWEEN": "between",
    "IS": "is set",
    "SET": "set",
    "STARTS": "starts with",
    "WITH": "with",
    "IMAGES": "images",
    "AND": "and",
    "OR": "or",
    "NOT": "not",
    "BY": "by",
    "SAMPLE": "sample",
    "SEED": "seed",
    "ORDER": "order by",
    "LIMIT": "limit",
    "DESC": "desc",
    "COMMA": "','",
    "RPAR": "')'",
    "RSQB": "']'",
    "$END": "the end",
}
_NO_FIELD = re.compile(
    "all|and|any|asc|between|by|desc|false|from|images|in|is|limit|none|or|order|sample|seed"
    "|select|set|true|where",
    re.IGNORECASE,
)
"""Words of the language, and of SQL, that are no fields."""

_SHOWN = 60
"""Characters of the text that are shown on either side of a mistake."""


def located(error: QueryError, text: str, position: int) -> QueryError:
    """The same error with the line of the text, and a caret below the position in it.

    Args:
        error: what is wrong.
        text: the whole text of the query.
        position: index of the character that the error is about.
    """
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[start : len(text) if end < 0 else end]
    column = position - start
    first = max(0, column - _SHOWN)
    shown = line[first : column + _SHOWN]
    before, after = "…" * (first > 0), "…" * (column + _SHOWN < len(line))
    # a tab, or anything else that moves the carriage, would shift the caret
    shown = "".join(c if c.isprintable() else " " for c in shown)
    caret = " " * (len(before) + column - first) + "^"
    return QueryError(f"{error.what}\n    {before}{shown}{after}\n    {caret}\n", do=error.do)


def syntax_error(error: UnexpectedInput, text: str) -> QueryError:
    """What the parser stumbled over.

    Args:
        error: the parser's own.
        text: the whole text of the query.
    """
    from lark.exceptions import UnexpectedToken

    if not isinstance(error, UnexpectedToken):
        return located(_stray(text[error.pos_in_stream or 0]), text, error.pos_in_stream or 0)
    before = error.token_history[-1] if error.token_history else None
    if before is not None and before.type == "NAME" and _NO_FIELD.fullmatch(before):
        # it was taken for a field, because only a field can stand there
        what = f"Expected a field, found {str(before)!r}."
        return located(QueryError(what), text, before.start_pos or 0)
    at_end = error.token.type == "$END"
    found = "the end" if at_end else repr(str(error.token))
    expected = set(error.accepts or error.expected)
    if "OPERATOR" in expected:
        expected.discard("LPAR")  # rare after a name, and no help
    words = [word for name, word in _WORDS.items() if name in expected]
    told = " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
    position = len(text) if at_end else error.token.start_pos or 0
    return located(QueryError(f"Expected {told}, found {found}."), text, position)


def _stray(character: str) -> QueryError:
    if character in "'\"":
        return QueryError(
            "The quote is not closed.", do="Within quotes of a kind, write that quote twice."
        )
    return QueryError(f"{character!r} means nothing here.", do="Text goes in quotes.")
