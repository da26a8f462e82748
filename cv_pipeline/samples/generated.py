"""A generated folder: all of it or none of it, and left alone when it is there already.

It is built beside its place and then moved there, so that whoever looks sees it complete. A
process that is killed on the way leaves nothing that the next call does not clear up.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cv_pipeline.errors import SourceError

MARKER = "generated.json"


@dataclass(frozen=True)
class _Contents:
    """What the marker says: what the folder was made from, and its files with their sizes."""

    recipe: str
    sizes: dict[str, int]


_MARKER = TypeAdapter(_Contents)


def ensure_generated(folder: Path, *, recipe: str, build: Callable[[Path], None]) -> bool:
    """Make a folder hold what ``build`` makes.

    Args:
        folder: where to; what an older recipe made there is replaced.
        recipe: name, version and seed of what is built: the same recipe gives the same files.
        build: writes the files into the empty folder that it is given.

    Returns:
        Whether it had to be built.

    Raises:
        SourceError: the folder holds files that were not generated, and that replacing it would
            lose.
    """
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(folder):
        contents = _read(folder)
        if contents and contents.recipe == recipe and _is_complete(folder, contents):
            return False
        _refuse_to_lose_files(folder, contents)
        building = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir()
        build(building)
        contents = _Contents(recipe, _sizes(building))
        (building / MARKER).write_bytes(_MARKER.dump_json(contents, indent=1))
        _replace(folder, building)
    return True


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which a process loses however it ends."""
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(folder: Path) -> _Contents | None:
    try:
        return _MARKER.validate_json((folder / MARKER).read_bytes())
    except (OSError, ValidationError):
        return None


def _is_complete(folder: Path, contents: _Contents) -> bool:
    paths = ((folder / name, size) for name, size in contents.sizes.items())
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def _sizes(folder: Path) -> dict[str, int]:
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.stat().st_size for p in paths}


def _refuse_to_lose_files(folder: Path, contents: _Contents | None) -> None:
    ours = {MARKER, *(contents.sizes if contents else ())}
    foreign = sorted(set(_sizes(folder)) - ours)
    if foreign:
        raise SourceError(
            f"{folder} must be made anew, but holds {len(foreign)} files that were not generated,"
            f" such as {foreign[0]!r}.",
            do="Move them away, or choose another folder.",
        )


def _replace(folder: Path, building: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    building.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
