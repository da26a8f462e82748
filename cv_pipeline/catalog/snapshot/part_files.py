"""Parts of a snapshot as folders of Arrow files: published whole, verified when opened, swept.

They are a cache and never a store: a part that is damaged, half there or gone is made again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cv_pipeline.errors import CatalogError
from cv_pipeline.storage.scratch import scratch_folder

ROWS_IN_BATCH = 131_072
"""Rows in a record batch: the same in every file, so that columns of several fit together."""

KEPT = 4
"""Parts of one name that stay: those that were opened last."""

_FEW_VALUES = 65_536
_MARKER = "part.json"
_UNFINISHED = "unfinished"


@dataclass(frozen=True, eq=False)
class PartTables:
    """An opened part: its tables, mapped from their files.

    Attributes:
        tables: table by name.
        notes: what its builder noted beside them.
    """

    tables: Mapping[str, pa.Table]
    notes: Mapping[str, str]


Build = Callable[[Path], PartTables]
"""Makes a part; the folder is for what does not fit into memory meanwhile."""


class PartFiles:
    """The parts of one project's snapshots.

    Args:
        folder: where they lie; it is made with the first part.
        project: name of the project.
    """

    def __init__(self, folder: Path, *, project: str) -> None:
        self._folder = folder
        self._project = project

    def get(self, name: str, *, key: str, build: Build) -> PartTables:
        """The part of a name and key; ``build`` makes it where there is no sound one.

        Of several processes that want it at once, one makes it and the others wait for that.

        Raises:
            CatalogError: the folder cannot be written.
        """
        target = self._folder / f"{name}-{key}"
        found = self._open(target)
        if found is not None:
            return found
        from filelock import FileLock

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / f"{name}.lock"):
                found = self._open(target)  # made by somebody else in the meantime
                if found is None:
                    found = self._make(target, build)
                    self._sweep(name)
        except OSError as error:
            raise CatalogError(
                f"The snapshot of {self._project} cannot be written below {self._folder}:"
                f" {error.strerror or error}.",
                do="Check its permissions and free space, or set CV_HOME to another folder.",
            ) from error
        return found

    def _make(self, target: Path, build: Build) -> PartTables:
        unfinished = self._folder / _UNFINISHED
        with scratch_folder(unfinished, project=self._project) as scratch:
            part = scratch / "part"
            part.mkdir()
            _write(part, build(scratch))
            if target.exists():  # damaged; who has it mapped keeps what he has
                target.rename(scratch / "damaged")
            part.rename(target)
        found = self._open(target)
        if found is None:
            raise CatalogError(f"What was written to {target} cannot be read back.")
        return found

    def _open(self, folder: Path) -> PartTables | None:
        """The part in a folder; None when it is not there or not sound."""
        try:
            marker = json.loads((folder / _MARKER).read_bytes())
            tables = {
                name: _open_table(folder / f"{name}.arrow", size=size)
                for name, size in marker["files"].items()
            }
            notes = marker["notes"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
            return None
        with suppress(OSError):  # a cache that may only be read
            os.utime(folder / _MARKER)
        return PartTables(tables, notes)

    def _sweep(self, name: str) -> None:
        """Remove the parts of a name that were not opened for the longest time."""
        opened: list[tuple[float, Path]] = []
        for folder in self._folder.glob(f"{name}-*"):
            with suppress(OSError):
                opened.append(((folder / _MARKER).stat().st_mtime, folder))
        for _, folder in sorted(opened, reverse=True)[KEPT:]:
            shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, part: PartTables) -> None:
    """Write the tables, and last the file that says what the others must be."""
    sizes = {}
    for name, table in part.tables.items():
        path = folder / f"{name}.arrow"
        _write_table(path, table)
        sizes[name] = path.stat().st_size
    text = json.dumps({"files": sizes, "notes": dict(part.notes)}, sort_keys=True)
    (folder / _MARKER).write_text(text)


def _write_table(path: Path, table: pa.Table) -> None:
    columns = [_compact(column) for column in table.columns]
    table = pa.Table.from_arrays(columns, names=table.schema.names)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        for start in range(0, len(table), ROWS_IN_BATCH):
            writer.write_table(table.slice(start, ROWS_IN_BATCH).combine_chunks())


def _compact(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text of few values as a dictionary, which is three times as fast to search.

    A large dictionary is thirty times as slow, for it is read again with every batch.
    """
    if not pa.types.is_string(column.type):
        return column
    encoded = column.dictionary_encode()
    few = not encoded.num_chunks or len(encoded.chunk(0).dictionary) <= min(
        _FEW_VALUES, len(column) // 4
    )
    return encoded if few else column


def _open_table(path: Path, *, size: int) -> pa.Table:
    """A table mapped from its file.

    Raises:
        ValueError: the file is of another size than was written.
    """
    if path.stat().st_size != size:
        raise ValueError(f"{path} is not whole")
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
