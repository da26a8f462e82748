"""A source in a tar or zip archive, read in place: nothing is ever unpacked to the disk.

Only regular files are listed; links, devices and sparse members are left out. A member whose name
is absolute or leads out of the archive, and a damaged or cut-off archive, are errors: what such
an archive holds is not what somebody packed.
"""

from __future__ import annotations

import contextlib
import gzip
import posixpath
import stat
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# typeshed lacks EOFHeaderError
from tarfile import EOFHeaderError, HeaderError, ReadError  # type: ignore[attr-defined]
from typing import IO, Self, cast

from cv_pipeline.errors import SourceError, nearest
from cv_pipeline.storage.image_source import (
    MAX_FILE_BYTES,
    SourceEntry,
    is_hidden,
    readable_name,
)

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")

_BLOCK = 1 << 20
_MAX_HEADER_BYTES = 1 << 20
_LONG_HEADERS = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}


@dataclass(frozen=True)
class Member:
    """A regular file in an archive.

    Attributes:
        path: path in the archive, normalised.
        size: declared size, bytes.
        crc: CRC-32 of the content.
        position: ordinal in the archive, of the last member with this path: that one counts.
    """

    path: str
    size: int
    crc: int
    position: int


class ArchiveSource(ABC):
    """The regular files of an archive, or of a folder in it, or one of its files.

    Args:
        archive: the file.
        inner: the folder or file inside; empty for all.
    """

    def __init__(self, archive: Path, inner: str = "") -> None:
        self.archive = archive.absolute()
        self.inner = inner.strip("/")
        self._index: tuple[object, dict[str, Member]] | None = None

    @property
    def url(self) -> str:
        """Absolute path of the archive, and ``!inner`` when it is of a part."""
        return f"{self.archive}!{self.inner}" if self.inner else str(self.archive)

    def list(self) -> list[SourceEntry]:
        """Return its files sorted by path, without hidden ones."""
        return sorted(
            SourceEntry(path, member.size, f"{member.size}-{member.crc:08x}")
            for path, member in self._members().items()
            if not is_hidden(path)
        )

    def read(self, path: str) -> bytes:
        """Return one file's bytes."""
        for _, data in self.read_many([path]):
            return data
        raise SourceError(f"There is no readable file {path!r} in {self.url}.")

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of each file that can be read, in one pass over the archive."""
        members = self._members()
        wanted = {
            members[path].position: path
            for path in paths
            if path in members and members[path].size <= MAX_FILE_BYTES
        }
        with self._explained():
            yield from self._read(wanted)

    def _members(self) -> dict[str, Member]:
        """The members by path relative to ``inner``; read again when the archive has changed."""
        with self._explained():
            status = self.archive.stat()
            state = (status.st_ino, status.st_size, status.st_mtime_ns)
            if self._index is None or self._index[0] != state:
                self._index = state, self._below_inner(list(self._scan()))
            return self._index[1]

    def _below_inner(self, members: Sequence[Member]) -> dict[str, Member]:
        if not self.inner:
            return {m.path: m for m in members}
        start = f"{self.inner}/"
        found = {m.path.removeprefix(start): m for m in members if m.path.startswith(start)}
        found |= {posixpath.basename(m.path): m for m in members if m.path == self.inner}
        if not found:
            folders = {posixpath.dirname(m.path) for m in members} - {""}
            raise SourceError(
                f"There is no {self.inner!r} in {self.archive}.", do=nearest(self.inner, folders)
            )
        return found

    def _checked_path(self, name: str) -> str:
        """A member's path, normalised.

        Raises:
            SourceError: it is absolute or leads out of the archive.
        """
        path = posixpath.normpath(name)
        if path == "." or name.startswith("/") or ".." in name.split("/") or "\0" in name:
            raise SourceError(
                f"{self.archive} is refused: its member {name!r} leads out of it.",
                do="Pack it again from inside the folder: tar -czf ARCHIVE -C FOLDER .",
            )
        return readable_name(path)

    @abstractmethod
    def _scan(self) -> Iterator[Member]:
        """Yield the regular files, in the archive's order."""

    @abstractmethod
    def _read(self, wanted: dict[int, str]) -> Iterator[tuple[str, bytes]]:
        """Yield the path of ``wanted`` and the bytes of the members at its positions."""

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the decoders say of a damaged archive into an error of this project.

        The standard library raises ValueError and its kin for damage in the headers.
        """
        try:
            yield
        except FileNotFoundError:
            raise SourceError(f"There is no file {self.archive}.") from None
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            ValueError,
            NotImplementedError,
            RecursionError,  # of headers that announce headers
        ) as error:
            raise SourceError(
                f"{self.archive} cannot be read as an archive: {error or type(error).__name__}.",
                do="It is damaged or cut off: copy it again.",
            ) from error


class TarSource(ArchiveSource):
    """The files of a tar archive, plain or compressed by gzip.

    A tar has no table of contents: listing reads it through once and takes each file's CRC-32 on
    the way, so that a fingerprint says what the content is, whenever it was packed.
    """

    def _scan(self) -> Iterator[Member]:
        with self._opened() as (stream, tar):
            for position, info in _regular_members(tar):
                crc = 0
                for block in _blocks(tar, info):
                    crc = zlib.crc32(block, crc)
                yield Member(self._checked_path(info.name), info.size, crc, position)
            while stream.read(_BLOCK):
                pass  # to the end, where gzip checks its own sum

    def _read(self, wanted: dict[int, str]) -> Iterator[tuple[str, bytes]]:
        remaining = len(wanted)
        if not remaining:
            return
        with self._opened() as (_, tar):
            for position, info in _regular_members(tar):
                if position in wanted:
                    yield wanted[position], b"".join(_blocks(tar, info))
                    remaining -= 1
                    if not remaining:
                        return

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[IO[bytes], tarfile.TarFile]]:
        with self.archive.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if compressed else raw
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictTarInfo) as tar:
                yield stream, tar


class ZipSource(ArchiveSource):
    """The files of a zip archive."""

    def _scan(self) -> Iterator[Member]:
        with zipfile.ZipFile(self.archive) as archive:
            for position, info in enumerate(archive.infolist()):
                name = info.filename.replace("\\", "/")  # some packers write Windows paths
                kind = stat.S_IFMT(info.external_attr >> 16)
                if not name.endswith("/") and kind in (0, stat.S_IFREG):
                    path = self._checked_path(name)
                    yield Member(path, info.file_size, info.CRC, position)

    def _read(self, wanted: dict[int, str]) -> Iterator[tuple[str, bytes]]:
        with zipfile.ZipFile(self.archive) as archive:
            entries = archive.infolist()
            for position in sorted(wanted):
                try:
                    data = archive.read(entries[position])
                except (
                    zipfile.BadZipFile,
                    zlib.error,
                    EOFError,
                    NotImplementedError,
                    RuntimeError,  # it is encrypted
                ):
                    continue  # this member's own trouble
                yield wanted[position], data


class _StrictTarInfo(tarfile.TarInfo):
    """A header reader that raises where the standard one takes damage for the end of the archive.

    It also refuses what would make the standard one read without bound: headers that carry long
    names, if they declare more than a name can need.
    """

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except HeaderError as error:
            if isinstance(error, EOFHeaderError):
                raise
            raise ReadError(f"damaged at byte {tarfile.offset} ({error})") from error

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        limit = _MAX_HEADER_BYTES if info.type in _LONG_HEADERS else 1 << 63
        if not 0 <= info.size < limit:
            raise ReadError(f"a header declares {info.size} bytes")
        return info


def _regular_members(tar: tarfile.TarFile) -> Iterator[tuple[int, tarfile.TarInfo]]:
    """Yield ordinal and header of the regular files of a tar that is being streamed."""
    position = 0
    while (info := tar.next()) is not None:
        if info.isreg() and not info.issparse():
            yield position, info
        position += 1
        # Else every header of the archive stays in memory; typeshed lacks the attribute.
        tar.members.clear()  # type: ignore[attr-defined]


def _blocks(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[bytes]:
    """Yield the content of the member that the stream has just reached."""
    file = tar.extractfile(info)
    assert file is not None, "a regular file has content"
    while block := file.read(_BLOCK):
        yield block
