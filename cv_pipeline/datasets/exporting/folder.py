"""The folder that an export is written to: it appears whole, under its name, or not at all.

Every file is hashed as it is written. Images come from the store, each verified, several read
ahead within a budget of memory; they are copied and never linked, for whoever edits a copy must not
be able to damage the store.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cv_pipeline.annotations.content import Content
from cv_pipeline.datasets.exporting.record import ExportedFile
from cv_pipeline.errors import DatasetError, ObjectTakenOut, StorageError
from cv_pipeline.storage import Blobs
from cv_pipeline.storage.read_ahead import read_ahead
from cv_pipeline.storage.scratch import scratch_folder

_READERS = 8


class ExportFolder:
    """Files of an export in the making: a ``content.Target``.

    Args:
        root: an existing, empty folder.
        blobs: the images.
        progress: called with how many images are done.

    Attributes:
        files: path of each file that was written to what it is.
        taken_out: images that turned out to be taken out.
    """

    def __init__(
        self, root: Path, *, blobs: Blobs | None, progress: Callable[[int], None] | None = None
    ) -> None:
        self.files: dict[str, ExportedFile] = {}
        self.taken_out: set[str] = set()
        self._root = root
        self._blobs = blobs
        self._progress = progress
        self._folders: set[Path] = set()
        self._done = 0

    def images(self, content: Content) -> Iterator[tuple[int, bytes]]:
        """Yield row and bytes of each image, in order; images that were taken out are left out.

        Raises:
            DatasetError: an image is not in the store, or is damaged there.
        """
        ids, paths, sizes = (
            content.images[name].to_pylist() for name in ("image_id", "path", "decoded_bytes")
        )
        with ThreadPoolExecutor(_READERS) as pool:
            loaded = read_ahead(
                range(len(ids)),
                lambda row: self._load(ids[row], paths[row]),
                size=lambda row: sizes[row],
                pool=pool,
            )
            for row, data in enumerate(loaded):
                if data is None:
                    self.taken_out.add(ids[row])
                else:
                    yield row, data
                self._done += 1
                if self._progress is not None:
                    self._progress(self._done)

    def write(self, path: str, parts: Iterable[bytes]) -> None:
        """Write a file, whose parts come one after the other.

        Raises:
            StorageError: the disk is full, or the folder cannot be written to.
        """
        file = self._root / path
        digest, size = hashlib.sha256(), 0
        try:
            if file.parent not in self._folders:
                file.parent.mkdir(parents=True, exist_ok=True)
                self._folders.add(file.parent)
            with file.open("xb") as out:
                for part in parts:
                    digest.update(part)
                    size += out.write(part)
        except OSError as error:
            raise StorageError(
                f"Cannot write {path} of the export: {error.strerror or error}.",
                do="Check the folder's permissions and free space.",
            ) from error
        self.files[path] = ExportedFile(sha256=digest.hexdigest(), bytes=size)

    def _load(self, image_id: str, path: str) -> bytes | None:
        assert self._blobs is not None, "images are only asked for where there is a store"
        try:
            return self._blobs.read(image_id)
        except ObjectTakenOut:
            return None
        except StorageError as error:
            raise DatasetError(
                f"Image {image_id} ({path}) cannot be exported: {error.what}", do=error.do
            ) from error


@contextlib.contextmanager
def new_folder(to: Path) -> Iterator[Path]:
    """Give a folder to fill, which becomes ``to`` at the end, and vanishes on an error.

    Args:
        to: a path where nothing is, or an empty folder.

    Raises:
        DatasetError: something is there already.
        StorageError: it cannot be made.
    """
    to = to.absolute()
    _require_free(to)
    beside = to.parent / f".{to.name}.partial"
    with contextlib.ExitStack() as stack:
        stack.callback(_remove_empty, beside)
        try:
            work = stack.enter_context(scratch_folder(beside, project="export"))
            made = work / "made"
            made.mkdir()
        except OSError as error:
            raise _unwritable(to, error) from error
        yield made
        _require_free(to)
        try:
            made.rename(to)
        except OSError as error:
            _require_free(to)  # another export was first
            raise _unwritable(to, error) from error


def _remove_empty(beside: Path) -> None:
    with contextlib.suppress(OSError):  # another export to the same folder is under way
        for host in beside.iterdir():
            host.rmdir()
        beside.rmdir()


def _unwritable(to: Path, error: OSError) -> StorageError:
    return StorageError(
        f"Cannot make {to}: {error.strerror or error}.",
        do="Check the folder's permissions and free space, or name another.",
    )


def _require_free(to: Path) -> None:
    if to.is_symlink() or (to.exists() and (not to.is_dir() or any(to.iterdir()))):
        raise DatasetError(
            f"{to} is there already, and nothing is ever overwritten.",
            do="Name another folder, or remove that one.",
        )
