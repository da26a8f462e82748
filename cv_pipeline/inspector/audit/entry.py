"""One line of the audit log: what it says, and the bytes that its seal is computed over."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

FIRST = ""
"""What stands before the first line."""


@dataclass(frozen=True)
class Entry:
    """What was done.

    Attributes:
        action: what, such as ``corrective.launch``.
        target: to what: an id or a name.
        user: by whom: the account, or the user of the machine where ``means`` is ``cli``.
        means: by a ``session``, a ``token``, the command line (``cli``) or ``none`` of them.
        credential: which session or token; no secret.
        address: from where.
        project: in which project; empty for none.
        why: the reason that was given.
        details: more, as plain values.
        at: when, UTC.
    """

    action: str
    target: str
    user: str
    means: str = "none"
    credential: str = ""
    address: str = ""
    project: str = ""
    why: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Line:
    """An entry in its place.

    Attributes:
        n: number of the line, from 1 without a gap.
        entry: what it says.
        before: seal of the line before.
        seal: HMAC-SHA256 over what it says, its number and the seal before.
    """

    n: int
    entry: Entry
    before: str
    seal: str


def line_text(n: int, entry: Entry, *, before: str) -> str:
    """A line in its canonical form: JSON with sorted keys and no blanks."""
    said = asdict(entry) | {"n": n, "before": before, "at": entry.at.isoformat()}
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def storable(entry: Entry) -> Entry:
    """The same without what cannot be stored as text: halves of characters are replaced."""
    said = asdict(entry)
    said["details"] = json.loads(json.dumps(dict(entry.details), default=str))
    whole: dict[str, Any] = _whole(said)
    return Entry(**whole)


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_whole(name): _whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    return value


def seal_of(key: bytes, text: str) -> str:
    """The seal of a line, which only who has the key can make."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def parse_line(text: str, seal: str) -> Line:
    """A line from its canonical form.

    Raises:
        ValueError: it is not one.
    """
    said = json.loads(text)
    if not isinstance(said, dict):
        raise ValueError("not a mapping")
    try:
        n, before = int(said.pop("n")), str(said.pop("before"))
        at = datetime.fromisoformat(said.pop("at"))
        return Line(n, Entry(**said, at=at), before, seal)
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from error
