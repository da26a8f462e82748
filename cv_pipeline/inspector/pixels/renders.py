"""Renders on disk: pictures that were made once and are served again, bounded in size.

A render is named by the image, the view and the version of the renderer, so it never goes stale;
it is written to a file of its own and renamed into place, so whoever reads it reads all of it. A
cache of nothing that cannot be made again: it may be removed at any time.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 4 << 30
"""Bytes of all renders, by default; about 400,000 thumbnails."""

_SWEEP_EVERY = 64 << 20
"""Bytes that are written before the size is looked at again."""

_LEFT = 0.8
"""Share of the bound that a sweep leaves."""


@dataclass(frozen=True, slots=True)
class _Found:
    used: float
    size: int
    path: Path


class Renders:
    """A folder of renders, safe for many threads and processes.

    Args:
        folder: where they are, under ``<2>/<image id>/<name>.jpg``.
        max_bytes: bound of their sizes; the longest unused go first.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._written = _SWEEP_EVERY  # so that the first write looks at what is there
        self._lock = threading.Lock()

    def get(self, image_id: str, name: str) -> bytes | None:
        """What is kept; None when nothing is."""
        path = self._path(image_id, name)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return data

    def put(self, image_id: str, name: str, data: bytes) -> None:
        """Keep a render; a disk that is full or read-only costs speed and nothing else."""
        path = self._path(image_id, name)
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            try:
                temporary.write_bytes(data)
            except FileNotFoundError:  # the first of the image
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(data)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            return
        with self._lock:
            self._written += len(data)
            due = self._written >= min(_SWEEP_EVERY, self.max_bytes // 8)
            if due:
                self._written = 0
        if due:
            self.sweep()

    def forget(self, image_id: str) -> None:
        """Remove every render of an image."""
        shutil.rmtree(self._path(image_id, "x").parent, ignore_errors=True)

    def sweep(self) -> int:
        """Remove the longest unused until the bound is kept.

        Returns:
            Bytes that are left.
        """
        found = sorted(self._files(), key=lambda f: (f.used, f.path))
        left = sum(file.size for file in found)
        if left <= self.max_bytes:
            return left
        for file in found:
            if left <= self.max_bytes * _LEFT:
                break
            with contextlib.suppress(OSError):
                file.path.unlink()
                file.path.parent.rmdir()  # fails while the image has others left
            left -= file.size
        return left

    def _path(self, image_id: str, name: str) -> Path:
        return self.folder / image_id[:2] / image_id / f"{name}.jpg"

    def _files(self) -> Iterator[_Found]:
        for folder, _, names in os.walk(self.folder):  # minds no folder that vanishes
            for name in names:
                path = Path(folder) / name
                with contextlib.suppress(OSError):
                    stat = path.stat()
                    yield _Found(stat.st_mtime, stat.st_size, path)
