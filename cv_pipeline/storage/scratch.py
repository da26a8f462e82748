"""Folders for unfinished work, swept when the process that made them was killed.

A folder carries its owner in its name: the process number, and the start time that tells that
process from a later one with the same number. Folders lie below the name of their host, for what
runs on another host, or in another container, cannot be told from here and is left alone.
"""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_CLOCK_SECONDS = 60
"""How far a process's start time may seem to move as the clock is set; a living one is kept."""


@contextmanager
def scratch_folder(parent: Path, *, project: str) -> Iterator[Path]:
    """Give a new folder that is gone at the end, and sweep what killed processes left.

    Args:
        parent: where scratch folders lie; it is made when there is none.
        project: name of the project: only its folders are swept.
    """
    here = parent / platform.node()
    here.mkdir(parents=True, exist_ok=True)
    sweep(parent, project=project)
    process = psutil.Process()
    owner = f"{project}-{process.pid}-{process.create_time():.2f}-"
    with tempfile.TemporaryDirectory(dir=here, prefix=owner) as folder:
        yield Path(folder)


def sweep(parent: Path, *, project: str) -> list[Path]:
    """Remove what killed processes of this host left of a project.

    Args:
        parent: where scratch folders lie.
        project: name of the project.

    Returns:
        Folders of the project that are still in use, or of another host, sorted.
    """
    left = []
    for folder in sorted(parent.glob("*/*")):
        name, *owner = folder.name.rsplit("-", 3)  # the random end has no dash
        if name != project or len(owner) != 3:
            continue
        own = folder.parent.name == platform.node()
        if own and _is_gone(pid=owner[0], started=owner[1]):
            shutil.rmtree(folder, ignore_errors=True)  # others sweep too
        else:
            left.append(folder)
    return left


def _is_gone(*, pid: str, started: str) -> bool:
    """Tell whether no process has this number, or only one that started later."""
    try:
        return psutil.Process(int(pid)).create_time() > float(started) + _CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return True
    except ValueError:  # a name that is not of this module
        return False
