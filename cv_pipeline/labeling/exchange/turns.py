"""Pushes and pulls of a project take turns: two at once would see each other's work half done."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cv_pipeline.errors import LabelingError
from cv_pipeline.settings import cv_home

WAIT_SECONDS = 120.0
_LOOK_SECONDS = 0.1


@contextmanager
def its_turn(project: str, *, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold a project's turn, which a process loses however it ends.

    Args:
        project: name of the project.
        wait: seconds to wait for others.

    Raises:
        LabelingError: others take longer than that.
    """
    folder = cv_home() / "labeling"
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait
    with (folder / f"{project}.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabelingError(
                        f"Another push or pull of {project} is at work, since {wait:g} s or more.",
                        do="Wait until it is done, and run the command again.",
                    ) from None
                time.sleep(_LOOK_SECONDS)
        yield
