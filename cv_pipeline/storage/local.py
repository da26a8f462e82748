"""An object store in a local folder.

Objects are plain files below the root. A file is written and synced under ``.tmp`` of the same
file system and then renamed or linked into place, so an object survives a crash whole or not at
all; what a killed process left under ``.tmp`` is swept away a day later. The new name itself is
left to the file system's journal, which keeps it in order with the commits that cite it: syncing
it too made an image eight times as slow to put.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from cv_pipeline.errors import ObjectNotFound, StorageError
from cv_pipeline.storage.object_store import (
    RESERVED,
    ArrowLocation,
    LanceLocation,
    ObjectInfo,
    checked_key,
    checked_prefix,
)

_STALE_SECONDS = 24 * 3600


class LocalStore:
    """Objects as files below ``root``.

    Args:
        root: the folder; it is made with the first object.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()
        self._sweep()

    @property
    def url(self) -> str:
        """The folder's absolute path."""
        return str(self.root)

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        with self._explained("read", key):
            try:
                return self._path(key).read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise ObjectNotFound(f"There is no object {key!r} in {self.url}.") from None

    def write(self, key: str, data: bytes) -> None:
        """Make ``data`` the object, in place of what was there."""
        target = self._path(key)
        with self._explained("write", key), self._written(data) as temporary:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(target)

    def create(self, key: str, data: bytes) -> bool:
        """Make ``data`` the object unless there is one."""
        target = self._path(key)
        with self._explained("create", key):
            if target.exists():  # spares the write; the link below is what decides
                return False
            with self._written(data) as temporary:
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    target.hardlink_to(temporary)
                except FileExistsError:
                    return False
        return True

    def exists(self, key: str) -> bool:
        """Tell whether there is such an object."""
        with self._explained("look for", key):
            return self._path(key).is_file()

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none."""
        target = self._path(key)
        with self._explained("delete", key):
            if target.is_file():
                target.unlink(missing_ok=True)

    def purge(self, key: str) -> None:
        """Remove an object; a folder keeps no earlier versions."""
        self.delete(key)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield the objects whose keys begin with ``prefix``, sorted by key."""
        folder = checked_prefix(prefix).rpartition("/")[0]
        with self._explained("list", prefix):
            yield from _walk(self.root / folder, f"{folder}/" if folder else "", prefix)

    def lance(self, key: str) -> LanceLocation:
        """Return where Lance keeps the table ``key``."""
        return LanceLocation(uri=str(self._path(key)), storage_options={})

    def arrow(self, key: str) -> ArrowLocation:
        """Return where Arrow finds the object ``key``."""
        from pyarrow.fs import LocalFileSystem

        return ArrowLocation(str(self._path(key)), LocalFileSystem())

    def publish_folder(self, key: str, folder: Path, *, marker: str) -> None:
        """Copy ``folder`` to below ``key`` in one step; what is there already stays."""
        target = self._path(key)
        with self._explained("publish", key):
            temporary = self._temporary()
            try:
                shutil.copytree(folder, temporary, copy_function=shutil.copyfile)
                for path in (*temporary.rglob("*"), temporary):
                    _sync(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    temporary.rename(target)
                except OSError as error:
                    if (target / marker).is_file():
                        return  # somebody else was first, with the same content
                    if target.exists():
                        raise StorageError(
                            f"Cannot publish {key!r}: {target} is there without its {marker}.",
                            do="Nothing here made it; move it away.",
                        ) from error
                    raise
                _sync(target.parent)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)

    def fetch_folder(self, key: str, *, cache: Path) -> Path:  # noqa: ARG002 - nothing to copy
        """Return the folder ``key`` itself, which is local."""
        return self._path(key)

    def _path(self, key: str) -> Path:
        return self.root / checked_key(key)

    def _temporary(self) -> Path:
        folder = self.root / RESERVED
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{os.getpid()}-{secrets.token_hex(8)}"

    @contextlib.contextmanager
    def _written(self, data: bytes) -> Iterator[Path]:
        """Give the path of a synced temporary file, and remove what is left of it."""
        temporary = self._temporary()
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _explained(self, verb: str, key: str) -> Iterator[None]:
        """Turn what the file system says into an error of this project."""
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"Cannot {verb} {key!r} in {self.url}: {error.strerror or error}.",
                do="Check that folder's permissions and free space, or set CV_STORE.",
            ) from error

    def _sweep(self) -> None:
        limit = time.time() - _STALE_SECONDS
        with contextlib.suppress(OSError):  # others sweep too; what stays is swept next time
            for path in (self.root / RESERVED).iterdir():
                if path.stat().st_mtime < limit:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _walk(folder: Path, key: str, prefix: str) -> Iterator[ObjectInfo]:
    """Yield what is below ``folder``, whose own key (with its slash) is ``key``."""
    try:
        with os.scandir(folder) as entries:
            named = {f"{key}{e.name}/" if e.is_dir() else f"{key}{e.name}": e for e in entries}
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in sorted(named):
        if name == f"{RESERVED}/":
            continue
        if name.endswith("/"):
            if name.startswith(prefix) or prefix.startswith(name):
                yield from _walk(Path(named[name].path), name, prefix)
        elif name.startswith(prefix):
            try:
                stat = named[name].stat()
            except FileNotFoundError:
                continue  # deleted since the folder was read
            yield ObjectInfo(name, stat.st_size, f"{stat.st_size}-{stat.st_mtime_ns}")
