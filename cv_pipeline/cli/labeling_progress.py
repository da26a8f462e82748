"""A bar that shows how far a push or a pull is, where a person looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress

from cv_pipeline.cli.app import errors


@contextmanager
def shown_progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Give a function that is told how many of how many are done."""
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def tell(done: int, total: int, _: str) -> None:
            progress.update(task, completed=done, total=total)

        yield tell
