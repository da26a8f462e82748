"""A source in a local folder, or a single file as a source of one.

Links are followed, but never round in a circle; pipes and devices are left out. A subfolder that
may not be read is an error, for otherwise its files would be missing without a word.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from cv_pipeline.errors import SourceError
from cv_pipeline.storage.image_source import (
    MAX_FILE_BYTES,
    SourceEntry,
    is_hidden,
    readable_name,
)

_ESCAPED_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")


class FolderSource:
    """The files below a folder.

    Args:
        root: the folder.
        only: the one file in it that counts; all of them when None.
    """

    def __init__(self, root: Path, *, only: str | None = None) -> None:
        self.root = root.absolute()
        self._only = only

    @property
    def url(self) -> str:
        """Absolute path of the folder, or of the one file."""
        return str(self.root / (self._only or ""))

    def list(self) -> list[SourceEntry]:
        """Return its files sorted by path, without hidden ones."""
        try:
            if self._only is not None:
                return [_entry(self._only, (self.root / self._only).stat())]
            return sorted(_walk(self.root, "", frozenset()))
        except OSError as error:
            raise SourceError(
                f"Cannot list {error.filename or self.root}: {error.strerror}.",
                do="Check the path and its permissions.",
            ) from error

    def read(self, path: str) -> bytes:
        """Return one file's bytes."""
        parts = path.split("/")
        foreign = self._only is not None and path != self._only
        if foreign or "\0" in path or any(p in ("", ".", "..") for p in parts):
            raise SourceError(f"There is no file {path!r} in {self.url}.")
        try:
            file = self._on_disk(path)
            if not file.is_file():  # nothing there, or a pipe, which would be waited on for ever
                raise SourceError(f"There is no file {path!r} in {self.url}.")
            if (size := file.stat().st_size) > MAX_FILE_BYTES:
                raise SourceError(f"{path!r} in {self.url} is too large: {size} bytes.")
            return file.read_bytes()
        except OSError as error:
            raise SourceError(f"Cannot read {path!r} in {self.url}: {error.strerror}.") from error

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of each file that can be read."""
        for path in paths:
            try:
                data = self.read(path)
            except SourceError:
                continue
            yield path, data

    def _on_disk(self, path: str) -> Path:
        """The file that is listed as ``path``, whose name may not be UTF-8."""
        plain = self.root / path
        if "\\x" not in path or plain.exists():
            return plain
        name = _ESCAPED_BYTE.sub(lambda m: bytes.fromhex(m[1].decode()), path.encode())
        return self.root / os.fsdecode(name)


def _walk(folder: Path, start: str, above: frozenset[tuple[int, int]]) -> Iterator[SourceEntry]:
    """Yield what is below ``folder``; ``above`` identifies the folders on the way to it."""
    stat = folder.stat()
    here = (stat.st_dev, stat.st_ino)
    if here in above:
        return  # a link that leads back up
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        if is_hidden(entry.name):
            continue
        path = start + readable_name(entry.name)
        if entry.is_dir():
            yield from _walk(Path(entry.path), f"{path}/", above | {here})
        elif entry.is_file():
            try:
                yield _entry(path, entry.stat())
            except FileNotFoundError:
                continue  # deleted since the folder was read


def _entry(path: str, stat: os.stat_result) -> SourceEntry:
    return SourceEntry(path, stat.st_size, f"{stat.st_size}-{stat.st_mtime_ns}")
