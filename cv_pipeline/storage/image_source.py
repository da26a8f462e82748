"""The one interface through which data from outside come in: a listing, and bytes by path.

A source is only ever read. A single file of it that is unreadable or gone never stops the rest:
``read_many`` leaves it out and the caller sees what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

MAX_FILE_BYTES = 4 << 30
"""Files above this are listed but not read into memory, whatever else the caller allows."""


@dataclass(frozen=True, order=True)
class SourceEntry:
    """One file of a source.

    Attributes:
        path: relative POSIX path; bytes of a name that are not UTF-8 are written ``\\xff``.
        size: bytes, as the source declares them.
        fingerprint: changes when the content does: size and time, ETag, or size and CRC-32.
    """

    path: str
    size: int
    fingerprint: str


class ImageSource(Protocol):
    """Files from outside. Every method raises ``SourceError`` when the whole source fails."""

    @property
    def url(self) -> str:
        """Where it is, as ``open_source`` takes it."""

    def list(self) -> list[SourceEntry]:
        """Return its files sorted by path, without hidden ones (a part begins with a dot)."""

    def read(self, path: str) -> bytes:
        """Return one file's bytes; from a compressed archive this passes over all before it.

        Raises:
            SourceError: there is no such file, or it cannot be read.
        """

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of each file in one pass, in the source's own order.

        A file that is gone, unreadable or larger than ``MAX_FILE_BYTES`` is left out. Call it
        once and cut the result into batches: each call is a pass over a compressed archive.
        """


def is_hidden(path: str) -> bool:
    """Tell whether a part of a path begins with a dot."""
    return path.startswith(".") or "/." in path


def readable_name(name: str) -> str:
    """A file name as text that UTF-8 can hold: its undecodable bytes are written ``\\xff``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
