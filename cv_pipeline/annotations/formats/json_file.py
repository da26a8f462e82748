"""Reading JSON from outside: whatever the bytes are, the answer is a document or a refusal.

Text may be UTF-8, with or without a byte order mark, UTF-16 or UTF-32. A long list can be read item
by item, of which few are in memory at once.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from cv_pipeline.annotations.raw import ExportBuilder

MOST_OF_ITEM = 1 << 28
"""Characters of the longest item of a list that is read."""

_WINDOW = 1 << 20
_BLANK = re.compile(r"[ \t\n\r]*")


class NotJSON(ValueError):
    """Bytes are no JSON that is read.

    Args:
        where: the place; empty for the whole.
        reason: in a word.
        detail: in a sentence.
    """

    def __init__(self, where: str, reason: str, detail: str) -> None:
        self.where = where
        self.reason = reason
        self.detail = detail
        super().__init__(detail)


def read_json(export: ExportBuilder, path: str, data: bytes) -> Any:
    """Return the document in ``data``; None when there is none, which ``export`` then records."""
    try:
        document = _document(data)
    except NotJSON as error:
        export.refuse(path, error.where, error.reason, error.detail)
        return None
    if document is None:
        export.refuse(path, "", "not_json", "The document is null.")
    return document


def in_utf8(data: bytes) -> bytes:
    """Text for a look at what it may be: that of UTF-16 or UTF-32 in UTF-8, any other as it is."""
    if data[:2] in (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE) or b"\0" in data[:4]:
        return data.decode(json.detect_encoding(data), "ignore").encode()
    return data


def json_items(data: bytes) -> Iterator[Any]:
    """Yield the items of the list that is the document; one that is no list is the only item.

    Raises:
        NotJSON: it is none, which may be seen only after some of its items.
    """
    window = _Text(data)
    if window.peek() != "[":
        yield _document(data)
        return
    window.at += 1
    if window.peek() == "]":
        window.at += 1
    else:
        while True:
            yield window.item()
            mark = window.peek()
            window.at += 1
            if mark == "]":
                break
            if mark != ",":
                raise window.error("Expecting ',' delimiter", window.at - 1)
    if window.peek():
        raise window.error("Extra data", window.at)


def is_list(data: bytes) -> bool:
    """Tell whether the document begins as a list.

    Raises:
        NotJSON: it is no text.
    """
    return _Text(data).peek() == "["


class _Text:
    """Text of which a window is in memory.

    Args:
        data: its bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._read = 0
        self._decoder = codecs.getincrementaldecoder(json.detect_encoding(data))("surrogatepass")
        self._scan = json.JSONDecoder().raw_decode
        self._lines, self._column = 0, 0  # before the window
        self._text = ""
        self.at = 0

    def peek(self) -> str:
        """The next character that is no blank, without going past it; empty at the end."""
        while True:
            blank = _BLANK.match(self._text, self.at)
            self.at = blank.end() if blank else self.at
            if self.at < len(self._text):
                return self._text[self.at]
            if not self._more(_WINDOW):
                return ""

    def item(self) -> Any:
        """The value that comes next.

        Raises:
            NotJSON: none does.
        """
        self.peek()
        size = _WINDOW
        while True:
            try:
                value, end = self._scan(self._text, self.at)
                if end < len(self._text) or not self._more(size):
                    self.at = end
                    return value
            except json.JSONDecodeError as error:
                if not self._more(size):
                    raise self.error(error.msg, error.pos) from None
            except RecursionError:
                raise _nested() from None
            except ValueError as error:  # a number of thousands of digits
                raise NotJSON("", "not_json", f"Not valid JSON: {error}.") from None
            if len(self._text) - self.at > MOST_OF_ITEM:
                raise self.error("No item that ends", self.at)
            size *= 2

    def error(self, message: str, place: int) -> NotJSON:
        """What is wrong at a place of the window."""
        before = self._text[:place]
        line = self._lines + before.count("\n") + 1
        column = place - before.rfind("\n") if "\n" in before else self._column + place + 1
        where = f"line {line} column {column}"
        return NotJSON(where, "not_json", f"Not valid JSON: {message}, {where}.")

    def _more(self, size: int) -> bool:
        """Read on, and forget what was passed; False at the end."""
        if self._read >= len(self._data):
            return False
        passed = self._text[: self.at]
        if "\n" in passed:
            self._lines += passed.count("\n")
            self._column = len(passed) - passed.rfind("\n") - 1
        else:
            self._column += len(passed)
        part = self._data[self._read : self._read + size]
        held = len(self._decoder.getstate()[0])
        last = self._read + size >= len(self._data)
        try:
            text = self._decoder.decode(part, last)
        except UnicodeDecodeError as error:
            raise _no_text(error, self._read - held) from None
        self._read += len(part)
        self._text = self._text[self.at :] + text
        self.at = 0
        return True


def _document(data: bytes) -> Any:
    """The document that bytes are.

    Raises:
        NotJSON: they are none.
    """
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise NotJSON(where, "not_json", f"Not valid JSON: {error.msg}, {where}.") from None
    except UnicodeDecodeError as error:
        raise _no_text(error, 0) from None
    except RecursionError:
        raise _nested() from None
    except ValueError as error:  # a number of thousands of digits
        raise NotJSON("", "not_json", f"Not valid JSON: {error}.") from None


def _no_text(error: UnicodeDecodeError, first: int) -> NotJSON:
    where = f"byte {first + error.start}"
    return NotJSON(where, "not_utf8", f"Not UTF-8 text: {error.reason}, {where}.")


def _nested() -> NotJSON:
    return NotJSON("", "not_json", "Nested too deeply to be an export.")
