"""What takes long to make is made by one worker of the tests, and the others copy it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

_factories: list[pytest.TempPathFactory] = []


def keep_below(factory: pytest.TempPathFactory) -> None:
    """Where to keep what is made: pytest's own folders, which it removes in time."""
    _factories[:] = [factory]


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """A folder that ``make`` fills, which is made once however many workers the tests have.

    Each worker has a copy of its own, so no test sees what another worker's did. Whoever comes
    while it is being made waits; when making it fails, the next one tries again and fails alike.
    """
    (factory,) = _factories
    if "PYTEST_XDIST_WORKER" not in os.environ:
        folder = factory.mktemp(name)
        make(folder)
        return folder
    shared = factory.getbasetemp().parent / f"once-{name}"  # of this run, and of all its workers
    whole = shared.with_suffix(".whole")
    with FileLock(shared.with_suffix(".lock")):
        if not whole.exists():
            shutil.rmtree(shared, ignore_errors=True)
            shared.mkdir()
            make(shared)
            whole.touch()
    return Path(shutil.copytree(shared, factory.mktemp(name), dirs_exist_ok=True))
