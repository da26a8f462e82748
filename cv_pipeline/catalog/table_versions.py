"""The versions of a table that exist: which one was the latest when, and how to name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, order=True)
class TableVersion:
    """One version of a table; version 0, before anything was written, is never listed.

    Attributes:
        version: its number.
        committed_at: when it was made, UTC.
    """

    version: int
    committed_at: datetime


def latest_at(versions: Sequence[TableVersion], moment: datetime) -> int | None:
    """The version that was the latest at a moment; 0 when nothing had been written.

    Args:
        versions: those that exist, oldest first.
        moment: with a time zone.

    Returns:
        The version; None when it may be one that was cleaned up.
    """
    before, after = 0, 1
    for found in versions:
        if found.committed_at > moment:
            after = found.version
            break
        before, after = found.version, found.version + 1
    return before if after == before + 1 else None


def spans(versions: Sequence[int]) -> str:
    """Version 0 and others in order, in the words of an error: ``0, 3, 7 to 12``."""
    found = [[0, 0]]
    for version in versions:
        if version == found[-1][1] + 1:
            found[-1][1] = version
        else:
            found.append([version, version])
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in found)
