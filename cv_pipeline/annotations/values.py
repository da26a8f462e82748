"""Single values out of foreign files: each reader returns a clean value, or None for a bad one.

What passes here can be stored: text is valid Unicode without outer blanks, times are aware and in
UTC, and neither an e-mail address nor the name of known truth becomes an annotator's name.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime

from cv_pipeline.annotations.raw import GOLD_ANNOTATOR, UNKNOWN_ANNOTATOR
from cv_pipeline.project import SplitName
from cv_pipeline.pseudonyms import account_of

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".dcm", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
"""Suffixes that tell an image's path from other text."""

_SPLITS: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
_LARGEST_SIZE = 2**31 - 1
_CANONICAL = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
)


def as_text(value: object) -> str | None:
    """Return text stripped of outer blanks; None when it is not text, or empty."""
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can spell half of a surrogate pair
        return None
    return value.strip() or None


def as_number(value: object) -> float | None:
    """Return a number, spelled or not; NaN and infinity pass, so that they can be named later."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return None
    if not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def as_finite(value: object) -> float | None:
    """Return a number that is neither NaN nor infinite."""
    number = as_number(value)
    return number if number is not None and math.isfinite(number) else None


def as_identifier(value: object) -> str | None:
    """Return an id as text: 7, 7.0 and "7" are the same id."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**100:
        return str(value)
    return as_text(value)


def as_size(value: object) -> int | None:
    """Return the side of an image in pixels; None when none is declared (0 means that too)."""
    number = as_number(value)
    if number is None or not 1 <= number <= _LARGEST_SIZE:
        return None
    return int(number)


def as_utc(value: datetime | None) -> datetime | None:
    """Return a time in UTC; one without a zone is taken to be in UTC."""
    if value is None:
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:  # at the very ends of the calendar
        return None


def as_time(value: object) -> datetime | None:
    """Return the time that ISO 8601 text gives, in UTC; None when it gives none."""
    text = as_text(value)
    try:
        return as_utc(datetime.fromisoformat(text)) if text else None
    except ValueError:
        return None


def as_split(value: object) -> SplitName | None:
    """Return the split that a name means, such as ``valid``; None when it means none."""
    text = as_text(value)
    return _SPLITS.get(text.lower()) if text else None


def as_role(value: object) -> str:
    """Return the role that is named; ``annotator`` for none, and for ``gold``: no file gives it."""
    return value if isinstance(value, str) and value in ("reviewer", "model") else "annotator"


def attributes_json(attributes: Mapping[str, object]) -> str | None:
    """Return attributes as canonical JSON (sorted keys, no blanks); None when JSON cannot."""
    try:
        text = _CANONICAL.encode(attributes)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        return None
    return text


def pseudonym(who: object) -> str:
    """Return a stable name for somebody whom a file names.

    It is neither an e-mail address nor ``gold``, nor one of those that accounts of the annotation
    tool have, whatever a file says.

    Args:
        who: an id, a name, an e-mail address, or a mapping with ``id`` or ``email``. The id goes
            first, so that the same person has one name in exports of either kind.
    """
    if isinstance(who, Mapping):
        known = (who.get(k) for k in ("id", "email", "username"))
        who = next((k for k in known if as_identifier(k)), None)
    name = as_identifier(who)
    if name is None:
        return UNKNOWN_ANNOTATOR
    # a person of that name would overrule all others
    if "@" in name or name.lower() == GOLD_ANNOTATOR:
        return f"annotator-{hashlib.sha256(name.lower().encode()).hexdigest()[:10]}"
    return f"annotator-{name}" if name.isdigit() or account_of(name) is not None else name
