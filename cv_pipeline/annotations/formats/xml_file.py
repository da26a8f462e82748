"""Reading and writing XML that comes from outside, and goes there.

A document type, and so an entity, is refused unread. What an element or attribute cannot hold as
it is, is JSON with ``type="json"`` beside it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError

from cv_pipeline.annotations.raw import ExportBuilder
from cv_pipeline.annotations.values import as_text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element  # the type alone; parsing is defusedxml's

XML_ERRORS = (DefusedXmlException, ParseError, ValueError, LookupError, ExpatError)
"""What parsing raises; the last ones of an encoding that does not exist."""

_PLAIN = re.compile(r"[\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
"""Text that an XML element holds as it is."""


def refuse_xml(export: ExportBuilder, path: str, error: Exception) -> None:
    """Record why a file is no XML that is read; ``error`` is one of ``XML_ERRORS``."""
    if isinstance(error, DefusedXmlException):
        export.refuse(
            path,
            "",
            "hostile_xml",
            f"It declares a document type or entities, which are refused: {error}.",
        )
    elif isinstance(error, ParseError):
        line, column = error.position
        export.refuse(
            path, f"line {line} column {column + 1}", "not_xml", f"Not valid XML: {error}."
        )
    else:
        export.refuse(path, "", "not_xml", f"Not valid XML: {error}.")


def is_plain(value: object) -> bool:
    """Tell whether reading gives back the same text, which it strips."""
    return isinstance(value, str) and value == value.strip() and bool(_PLAIN.fullmatch(value))


def element(tag: str, value: object, **attributes: str) -> str:
    """An element that holds a value, as ``value_of`` reads it."""
    told = "".join(f" {name}={quoted(text)}" for name, text in attributes.items())
    if is_plain(value):
        return f"<{tag}{told}>{escape(str(value))}</{tag}>"
    return f'<{tag}{told} type="json">{escape(json.dumps(value))}</{tag}>'


def quoted(text: str) -> str:
    """An attribute's value, in quotes."""
    marks = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
    return f'"{escape(text, marks)}"'


def value_of(node: Element | None) -> Any:
    """What an element holds; None when there is none, or it cannot be read."""
    text = None if node is None else as_text(node.text)
    if node is None or text is None or node.get("type") != "json":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
