"""Markdown that people of a project write, as HTML that can do nothing.

Tags in the text are shown as text, pictures are left out, and links lead to http and https alone.
"""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markupsafe import Markup

_DEEPEST = 6


def rendered(text: str, *, below: int = 2) -> Markup:
    """A text as HTML.

    Args:
        text: in Markdown (CommonMark, and tables).
        below: level of the heading that it stands under; its own begin one deeper.
    """
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + below, _DEEPEST)}"
        for inner in token.children or ():
            if inner.type == "link_open":
                inner.attrSet("rel", "noopener noreferrer nofollow")
    # safe: the parser escapes all text, and makes only the tags of Markdown
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    parser.validateLink = _leads_away  # type: ignore[method-assign]
    return parser


def _leads_away(url: str) -> bool:
    try:
        return urlsplit(url.strip()).scheme.lower() in ("http", "https", "")
    except ValueError:
        return False
