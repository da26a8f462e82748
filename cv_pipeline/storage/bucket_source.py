"""A source in an S3 bucket: the objects below a prefix, or one object.

Objects are fetched by several threads at once, because a request waits far longer than it
transfers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from cv_pipeline.errors import SourceError, StorageError
from cv_pipeline.storage.image_source import MAX_FILE_BYTES, SourceEntry, is_hidden
from cv_pipeline.storage.s3 import S3Store, error_code

_THREADS = 16
_AHEAD = 64
"""Objects held in memory at once."""

_ONE_OBJECT = {"AccessDenied", "403", "InvalidObjectState"}
"""Errors of one object, the last of an archived one, rather than of the whole bucket."""


class BucketSource:
    """The objects of a bucket below a prefix.

    Args:
        store: the bucket and prefix.
        only: the one object in it that counts; all of them when None.
    """

    def __init__(self, store: S3Store, *, only: str | None = None) -> None:
        self._store = store
        self._only = only

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``, or that of the one object."""
        return f"{self._store.url}/{self._only}" if self._only else self._store.url

    def list(self) -> list[SourceEntry]:
        """Return its files sorted by path, without hidden ones."""
        try:
            return sorted(
                SourceEntry(info.key, info.size, info.fingerprint)
                for info in self._store.list(self._only or "")
                if not is_hidden(info.key)
                and not info.key.endswith("/")  # what consoles make to show an empty folder
                and self._only in (None, info.key)
            )
        except StorageError as error:
            raise SourceError(error.what, do=error.do) from error

    def read(self, path: str) -> bytes:
        """Return one file's bytes."""
        try:
            return self._fetch(path)
        except StorageError as error:
            raise SourceError(error.what, do=error.do) from error

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of each file that can be read."""
        wanted = list(paths)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="bucket-source") as pool:
            for start in range(0, len(wanted), _AHEAD):
                some = wanted[start : start + _AHEAD]
                for path, data in zip(some, pool.map(self._fetch_or_none, some), strict=True):
                    if data is not None:
                        yield path, data

    def _fetch(self, path: str) -> bytes:
        if self._only not in (None, path):
            raise StorageError(f"There is no file {path!r} in {self.url}.")
        return self._store.read(path, max_bytes=MAX_FILE_BYTES)

    def _fetch_or_none(self, path: str) -> bytes | None:
        """One file, or None when the trouble is this file's alone."""
        try:
            return self._fetch(path)
        except StorageError as error:
            cause = error.__cause__  # what S3 or the network said; None when it is missing
            if cause is None or error_code(cause) in _ONE_OBJECT:
                return None
            raise SourceError(error.what, do=error.do) from error
