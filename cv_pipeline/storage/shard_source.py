"""A source in several tar files of one folder, as a WebDataset is kept: each is a folder of it.

Nothing is unpacked. A file ``a.jpg`` of ``train-0.tar`` has the path ``train-0.tar/a.jpg``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from cv_pipeline.errors import SourceError
from cv_pipeline.storage.archive_source import TarSource
from cv_pipeline.storage.image_source import SourceEntry, readable_name

SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")


class ShardSource:
    """The regular files of the shards that a pattern fits.

    Args:
        pattern: a path whose last part has ``*`` or ``?`` in it, such as ``folder/train-*.tar``.

    Raises:
        SourceError: no tar file fits it.
    """

    def __init__(self, pattern: Path) -> None:
        self._pattern = pattern.absolute()
        files = sorted(self._pattern.parent.glob(self._pattern.name))
        self._shards = {
            readable_name(path.name): TarSource(path)
            for path in files
            if path.is_file() and path.name.lower().endswith(SHARD_SUFFIXES)
        }
        if not self._shards:
            raise SourceError(
                f"No tar file fits {pattern}.", do="Check the folder, and quote the pattern."
            )

    @property
    def url(self) -> str:
        """The pattern, as an absolute path."""
        return str(self._pattern)

    def list(self) -> list[SourceEntry]:
        """Return the files of all shards sorted by path, without hidden ones."""
        return sorted(
            SourceEntry(f"{name}/{entry.path}", entry.size, entry.fingerprint)
            for name, shard in self._shards.items()
            for entry in shard.list()
        )

    def read(self, path: str) -> bytes:
        """Return one file's bytes."""
        name, _, inner = path.partition("/")
        if name not in self._shards:
            raise SourceError(f"There is no file {path!r} in {self.url}.")
        return self._shards[name].read(inner)

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of each file that can be read, shard by shard."""
        wanted: dict[str, list[str]] = {}
        for path in paths:
            name, _, inner = path.partition("/")
            wanted.setdefault(name, []).append(inner)
        for name, shard in self._shards.items():
            for inner, data in shard.read_many(wanted.get(name, ())):
                yield f"{name}/{inner}", data
