"""A source in an S3 bucket: the objects below a prefix, or one object.

Objects are fetched by several threads at once, because a request waits far longer than it
transfers, and within a budget of memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from cv_pipeline.errors import SourceError, StorageError
from cv_pipeline.storage.image_source import MAX_FILE_BYTES, SourceEntry, is_hidden
from cv_pipeline.storage.read_ahead import BUDGET_BYTES, read_ahead
from cv_pipeline.storage.s3 import S3Store, error_code

_THREADS = 16

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
        self._sizes: dict[str, int] = {}  # bytes, by path, as last listed

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``, or that of the one object."""
        return f"{self._store.url}/{self._only}" if self._only else self._store.url

    def list(self) -> list[SourceEntry]:
        """Return its files sorted by path, without hidden ones."""
        try:
            entries = sorted(
                SourceEntry(info.key, info.size, info.fingerprint)
                for info in self._store.list(self._only or "")
                if not is_hidden(info.key)
                and not info.key.endswith("/")  # what consoles make to show an empty folder
                and self._only in (None, info.key)
            )
        except StorageError as error:
            raise SourceError(error.what, do=error.do) from error
        self._sizes = {entry.path: entry.size for entry in entries}
        return entries

    def read(self, path: str) -> bytes:
        """Return one file's bytes."""
        try:
            return self._fetch(path)
        except StorageError as error:
            raise SourceError(error.what, do=error.do) from error

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of each file that can be read.

        Of files that :meth:`list` has not told the size of, one at a time is in flight.
        """
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="bucket-source") as pool:
            for path, data in read_ahead(
                paths,
                lambda path: (path, self._fetch_or_none(path)),
                size=lambda path: self._sizes.get(path, BUDGET_BYTES),
                pool=pool,
                budget=BUDGET_BYTES,
            ):
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
