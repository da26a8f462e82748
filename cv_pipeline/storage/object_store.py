"""The one interface through which state is kept: a flat map from keys to bytes.

A key is a relative POSIX path. Every change of one key is atomic: a reader sees the old bytes or
the new ones, never a part, whatever is killed when.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cv_pipeline.errors import StorageError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

RESERVED = ".tmp"
"""First part of a key that no object may have: stores keep unfinished work there."""


@dataclass(frozen=True)
class ObjectInfo:
    """What a store tells of an object without reading it.

    Attributes:
        key: its key.
        size: bytes.
        fingerprint: changes when the bytes do: size and time, or S3's ETag.
    """

    key: str
    size: int
    fingerprint: str


@dataclass(frozen=True)
class LanceLocation:
    """Where Lance finds a table: the first two arguments of ``lance.dataset``.

    Attributes:
        uri: absolute path, or ``s3://bucket/key``.
        storage_options: endpoint and region. Never credentials: Lance takes them from the same
            AWS chain (environment, profile, instance role) as boto3 does.
    """

    uri: str
    storage_options: dict[str, str]


@dataclass(frozen=True)
class ArrowLocation:
    """Where Arrow finds an object, to read parts of it in place.

    Attributes:
        path: path in ``filesystem``.
        filesystem: local, or S3 with credentials from the AWS chain.
    """

    path: str
    filesystem: FileSystem


class ObjectStore(Protocol):
    """A place for objects. Every method raises ``StorageError`` when the place itself fails."""

    @property
    def url(self) -> str:
        """What ``open_store`` opens this store from again, in another process too."""

    def read(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            ObjectNotFound: there is no such object.
        """

    def write(self, key: str, data: bytes) -> None:
        """Make ``data`` the object, in place of what was there."""

    def create(self, key: str, data: bytes) -> bool:
        """Make ``data`` the object unless there is one; of any number of callers one succeeds.

        Returns:
            True when this call made it, False when it was there.
        """

    def exists(self, key: str) -> bool:
        """Tell whether there is such an object."""

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none."""

    def purge(self, key: str) -> None:
        """Remove an object so that the store has no earlier version of it either."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield the objects whose keys begin with ``prefix``, sorted by key (code points)."""

    def lance(self, key: str) -> LanceLocation:
        """Return where Lance keeps the table ``key``."""

    def arrow(self, key: str) -> ArrowLocation:
        """Return where Arrow finds the object ``key``."""

    def publish_folder(self, key: str, folder: Path, *, marker: str) -> None:
        """Copy ``folder`` to below ``key``; see ``folders.publish``, which is the way in."""

    def fetch_folder(self, key: str, *, cache: Path) -> Path:
        """Return a local copy of what is below ``key``; see ``folders.fetch``."""


def checked_key(key: str) -> str:
    """Return ``key`` when it is one.

    Raises:
        StorageError: it is empty, absolute, reserved, or has a part that is empty, ``.`` or
            ``..``, or a NUL or backslash.
    """
    parts = key.split("/")
    if any(p in ("", ".", "..") for p in parts) or "\0" in key or "\\" in key:
        raise StorageError(f"Invalid key: {key!r} is not a relative path such as 'a/b'.")
    if parts[0] == RESERVED:
        raise StorageError(f"Invalid key: {key!r} begins with the reserved {RESERVED!r}.")
    return key


def checked_prefix(prefix: str) -> str:
    """Return ``prefix`` when keys can begin with it: a key, cut off anywhere, or nothing.

    Raises:
        StorageError: no key begins so.
    """
    if prefix:
        head = prefix.removesuffix("/")
        checked_key(head if head else prefix)
    return prefix
